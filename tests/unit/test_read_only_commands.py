"""Commands that only look leave nothing behind, and say of a file of the wrong kind what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from core.paths import SAMPLE_DATA
from core.recipe.recipe import KNOBS
from tui.cli import main
from tui.commands.scratch import remove_abandoned

RECIPE = str(SAMPLE_DATA / "recipe.yaml")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, beside a dataset of 40 rows."""
    rows = [{"prompt": f"tell me of {n * n} please", "completion": f"answer {n * 77}"} for n in range(40)]
    (tmp_path / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["runs"], 0),
        (["runs", "--json"], 0),
        (["queue"], 0),
        (["tail"], 2),
        (["stop"], 2),
        (["resume", "--dry-run"], 2),
        (["scan", "../tickets.jsonl"], 0),
        (["scan", "../tickets.jsonl", "--near"], 0),
        (["overview", "../tickets.jsonl"], 0),
        (["overview", "--recipe", RECIPE, "--no-tokens"], 0),
        (["train", RECIPE, "--dry-run"], 0),
        (["train", RECIPE, "--dry-run", "--set", "training.devices=7"], 2),
        (["preflight", RECIPE], 0),
        (["preflight", RECIPE, "--set", "lora.rank=0"], 2),
        (["doctor"], None),
        (["completion", "bash"], 0),
    ],
)
def test_a_command_that_only_looks_leaves_an_empty_folder_empty(
    empty: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int | None
) -> None:
    assert main(words) in ((code,) if code is not None else (0, 1))
    assert list(empty.iterdir()) == []


def test_neither_does_a_pipe_that_is_scanned(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO((empty.parent / "tickets.jsonl").read_bytes())))
    assert main(["scan", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 40
    assert list(empty.iterdir()) == []


def test_the_overview_holds_out_what_a_new_recipe_would(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overview", "../tickets.jsonl", "--json"]) == 0
    share = KNOBS["data.eval_fraction"].default
    assert isinstance(share, float)
    assert json.loads(capsys.readouterr().out)["samples"]["eval"] == round(40 * share)
    assert main(["overview", "../tickets.jsonl", "--held-out", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"]["eval"] == 0


def test_preflight_prints_each_check_with_its_level_topic_and_fields(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", RECIPE, "--json", "--set", "training.devices=7"]) == 2
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert all(sorted(line) == ["fields", "level", "sentence", "topic"] for line in lines)
    (device,) = [line for line in lines if line["level"] == "stop"]
    assert device["topic"] == "device"
    assert device["fields"] == ["training.devices"]
    assert "7" in device["sentence"]
    assert {line["level"] for line in lines} >= {"ok", "stop"}
    assert main(["preflight", RECIPE, "--set", "training.devices=7"]) == 2
    text = capsys.readouterr().out
    assert "STOP  device" in text
    assert "1 check" in text


@pytest.mark.parametrize(
    ("text", "word", "fields"),
    [
        ("model: [", "YAML", []),
        ("modle: {}", "Unknown field", []),
        ("lora: {rank: many}", "Rank", ["lora.rank"]),
        ("data: &a [*a]", "alias", []),
    ],
)
def test_preflight_of_a_recipe_that_cannot_be_read_is_one_stop(
    empty: Path, capsys: pytest.CaptureFixture[str], text: str, word: str, fields: list[str]
) -> None:
    (empty.parent / "odd.yaml").write_text(text)
    assert main(["preflight", "../odd.yaml", "--json"]) == 2
    (line,) = json.loads(capsys.readouterr().out)["lines"]
    assert (line["level"], line["fields"]) == ("stop", fields)
    assert word in line["sentence"]


def test_preflight_names_each_value_that_cannot_be_read(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty.parent / "odd.yaml").write_text("lora:\n  rank: many\ntraining:\n  batch_size: none\n")
    assert main(["preflight", "../odd.yaml", "--json"]) == 2
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert [line["fields"] for line in lines] == [["lora.rank"], ["training.batch_size"]]
    assert main(["preflight", "../none.yaml", "--json"]) == 2
    assert "none.yaml" in json.loads(capsys.readouterr().out)["lines"][0]["sentence"]
    assert main(["preflight", RECIPE, "--json", "--set", "lora.rank=x"]) == 2
    assert json.loads(capsys.readouterr().out)["lines"][0]["fields"] == ["lora.rank"]


def test_a_dry_run_says_what_would_be_trained_and_what_would_stop_it(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", RECIPE, "--dry-run", "--json", "--set", "training.max_steps=7"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["ok"], facts["steps"]) == (True, 7)
    assert facts["samples"]["train"] > 100
    assert main(["train", RECIPE, "--dry-run", "--set", "training.devices=7"]) == 2
    said = capsys.readouterr().out
    assert "STOP" in said
    assert "Nothing was started" in said


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        (["train", "../tickets.jsonl"], "data, not a recipe", "tunedeck ../tickets.jsonl\n"),
        (["train", "../rows"], "data, not a recipe", "tunedeck init recipe.yaml ../rows"),
        (["overview", "--recipe", "../tickets.jsonl"], "data, not a recipe", "tunedeck ../tickets.jsonl\n"),
        (["scan", RECIPE], "a recipe, not data", f"tunedeck train {RECIPE}\n"),
        (["overview", RECIPE], "a recipe, not data", f"`--recipe {RECIPE}`"),
    ],
)
def test_a_file_of_the_wrong_kind_is_told_what_it_is(
    empty: Path, capsys: pytest.CaptureFixture[str], words: list[str], kind: str, advice: str
) -> None:
    (empty.parent / "rows").write_text('{"prompt": "a", "completion": "b"}\n')
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"{Path(words[-1]).name} is {kind}" in said
    assert advice in said


def test_what_a_killed_command_left_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = tmp_path / f"tunedeck-reading-{os.getpid()}-abc"
    for folder in (mine, tmp_path / f"tunedeck-reading-{ended.pid}-abc" / "views", tmp_path / "tunedeck-reading-other"):
        folder.mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "tunedeck-reading-other"]


def test_a_dry_run_names_the_field_of_a_warning(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", RECIPE, "--dry-run", "--set", "data.max_length=5000"])
    assert "Max length: 5,000" in capsys.readouterr().out
