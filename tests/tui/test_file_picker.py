"""The question what to open: what it offers, and a path that is begun by typing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from tui.app import TunedeckApp
from tui.screens.data_files import data_files
from tui.widgets.path_input import PathInput

MakeApp = Callable[..., TunedeckApp]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two data files."""
    for name in ("first.jsonl", "second.jsonl"):
        (tmp_path / name).write_text('{"text": "a"}\n')
    return tmp_path


async def offered(app: TunedeckApp, pilot: Pilot[int]) -> OptionList:
    """The list, once it has the focus."""
    for _ in range(500):
        await pilot.pause(0.01)
        if isinstance(app.focused, OptionList):
            return app.focused
    raise AssertionError("the list of files did not come")


def marked(choices: OptionList) -> list[str]:
    """The files that a mark stands before, as they are drawn."""
    lines = [choices.render_line(y).text for y in range(choices.option_count)]
    return [line.split()[1] for line in lines if line.startswith("> ")]


@pytest.mark.parametrize("typed", ["./su", "/tmp", "~/x", "sub/a"])
async def test_what_is_typed_at_the_list_begins_a_path_with_its_first_character(
    make_app: MakeApp, workspace: Path, typed: str
) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        await pilot.press(*typed)
        assert app.screen.query_one(PathInput).value == typed


async def test_a_path_begun_anew_replaces_the_one_before(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        choices = await offered(app, pilot)
        await pilot.press(*"./old")
        choices.focus()
        await pilot.press(*"/new")
        assert app.screen.query_one(PathInput).value == "/new"


async def test_keys_of_the_screen_begin_no_path(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        await pilot.press("6", "1")
        assert app.screen.query_one(PathInput).value == ""
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_mark_shows_the_file_that_enter_opens_only_while_the_list_has_the_focus(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        choices = await offered(app, pilot)
        await pilot.pause()
        assert marked(choices) == ["first.jsonl"]
        await pilot.press("down")
        assert marked(choices) == ["second.jsonl"]
        await pilot.press("/")
        assert marked(choices) == []
        choices.focus()
        await pilot.pause()
        assert marked(choices) == ["second.jsonl"]


def test_the_files_of_models_adapters_and_runs_are_not_offered_as_data(tmp_path: Path) -> None:
    for name in (
        "base/model.safetensors",
        "base/config.json",
        "base/tokenizer.json",
        "base/generation_config.json",
        "base/BUILD.json",
        "base/merges.txt",
        "base/samples.jsonl",
        "adapter/adapter_config.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/tokenizer.json",
        "old-run/job.json",
        "old-run/metrics.jsonl",
        "runs/one/metrics.jsonl",
        ".tunedeck/index.json",
        "data/config.json",
        "mine.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    assert [choice.name for choice in data_files(tmp_path)] == ["mine.json", "base/samples.jsonl", "data/config.json"]
