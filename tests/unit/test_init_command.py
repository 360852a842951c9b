"""`tunedeck init` and the names it is given: models as the app shows them, words that are no model, files nearby."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput
from core.nearest import nearest_file
from core.recipe.command_line import apply_settings
from core.recipe.model_files import DEMO, DEMO_TITLE
from core.recipe.recipe import Recipe
from core.recipe.yamlfile import load
from tui.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tickets.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demos_model_can_be_named_as_the_app_names_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "tickets.jsonl", "--model", DEMO_TITLE]) == 0
    assert "Warning" not in capsys.readouterr().out
    assert load(here / "recipe.yaml").model.path == str(DEMO)
    assert apply_settings(Recipe(), [f"model.path={DEMO_TITLE}"], here).model.path == str(DEMO)
    (here / "own.yaml").write_text(f"model:\n  path: {DEMO_TITLE}\n")
    assert load(here / "own.yaml").model.path == str(DEMO)


@pytest.mark.parametrize(
    ("model", "warned"), [("tiny", True), ("./nowhere", True), ("no such model", True), ("org/name", False)]
)
def test_a_model_that_is_neither_a_folder_nor_org_name_is_warned_of(
    here: Path, capsys: pytest.CaptureFixture[str], model: str, warned: bool
) -> None:
    assert main(["init", "tickets.jsonl", "--model", model]) == 0
    assert ("Warning" in capsys.readouterr().out) is warned
    assert main(["init", "bare.yaml", "--model", model]) == 0
    assert ("Warning" in capsys.readouterr().out) is warned, "with or without data"


def test_what_is_missing_says_which_command_takes_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "tickets.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "recipe.yaml" in said
    assert "--set model.path=MODEL" in said
    assert "tunedeck train" in said


def test_only_a_close_file_name_is_suggested(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "one.jsonl").touch()
    assert nearest_file(here / "nothere.jsonl") == ""
    assert nearest_file(here / "ones.jsonl") == str(here / "one.jsonl")
    assert nearest_file(here / "one.json") == str(here / "one.jsonl")
    assert main(["init", "tickts.jsonl"]) == 2
    assert "Did you mean `tickets.jsonl`?" in capsys.readouterr().err


def test_a_model_to_download_without_a_network_is_refused_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.engine.network import check_model_download

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    with pytest.raises(BadInput, match=r"hub\.invalid cannot be found"):
        check_model_download("org/no-such-model", "")
    check_model_download(str(DEMO), "")
