"""The question what to open: what it offers, and a path that is begun by typing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key, Paste
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.kit.app_waiting import until
from tests.kit.data_screen import chat, text_of
from tui.app import TunedeckApp
from tui.data.files import data_files
from tui.data.opened import last_opened
from tui.widgets.path_input import PathInput

MakeApp = Callable[..., TunedeckApp]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two data files."""
    for name in ("first.jsonl", "second.jsonl"):
        (tmp_path / name).write_text('{"text": "a"}\n')
    return tmp_path


async def offered(app: TunedeckApp, pilot: Pilot[int]) -> OptionList:
    """The list, once it has the focus, and files in it."""
    await until(pilot, lambda: isinstance(app.focused, OptionList) and app.focused.option_count, "the list of files")
    assert isinstance(app.focused, OptionList)
    return app.focused


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


def at_once(app: TunedeckApp, *keys: str) -> None:
    """Keys that arrive together, as a slow line or fast fingers send them: the app has had no turn in between."""
    for key in keys:
        single = len(key) == 1
        app.post_message(Key(_character_to_key(key) if single else key, key if single else None))


async def test_a_path_that_arrives_in_one_burst_is_typed_whole_and_in_order(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        at_once(app, *"gsm8k_tran.jsonl", *["left"] * 7, "i", "end", "x", "backspace", *".gz")
        await pilot.pause()
        field = app.screen.query_one(PathInput)
        assert field.value == "gsm8k_train.jsonl.gz"
        assert app.focused is field
        at_once(app, "home", "x", "delete", "end", "z")
        await pilot.pause()
        assert field.value == "xsm8k_train.jsonl.gzz"


async def test_a_burst_that_ends_in_enter_opens_what_was_typed(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        at_once(app, *"second.jsonl", "enter")
        await until(pilot, lambda: app.session.data, "it is opened")
        assert app.session.data == (workspace / "second.jsonl",)


async def test_what_was_opened_last_is_offered_first(make_app: MakeApp, workspace: Path) -> None:
    for name in ("also.txt", "notes.txt"):
        (workspace / name).write_text("a\n")
    app = make_app(data=(workspace / "second.jsonl",))
    async with app.run_test() as pilot:
        await until(pilot, lambda: last_opened(workspace) is not None, "what was opened is remembered")
    again = make_app()
    async with again.run_test() as pilot:
        choices = await offered(again, pilot)
        lines = [choices.render_line(y).text.split() for y in range(4)]
        assert lines[0][1] == "second.jsonl"
        assert lines[0][-2:] == ["opened", "last"]
        assert [line[0] for line in lines[1:]] == ["first.jsonl", "also.txt", "notes.txt"]
        await pilot.press("enter")
        await until(pilot, lambda: again.session.data, "it is opened")
        assert again.session.data == (workspace / "second.jsonl",)
    (workspace / "second.jsonl").unlink()
    assert last_opened(workspace) is None


async def test_what_is_pasted_at_the_list_begins_a_path(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        app.post_message(Paste("second.jso"))
        at_once(app, *"nl")
        await pilot.pause()
        assert app.screen.query_one(PathInput).value == "second.jsonl"
        app.post_message(Paste("\n"))
        await pilot.pause()
        assert app.screen.query_one(PathInput).value == "second.jsonl"


async def test_down_leads_from_the_field_to_the_list(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        choices = await offered(app, pilot)
        at_once(app, "x", "down", "down", "down", "up")
        await until(pilot, lambda: app.focused is choices and marked(choices) == ["second.jsonl"], "the file below")
        assert app.screen.query_one(PathInput).value == "x"


async def test_a_path_that_is_not_there_leaves_only_its_fault_on_the_screen(make_app: MakeApp, workspace: Path) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await offered(app, pilot)
        at_once(app, *"./no", "enter")
        fault, line = app.screen.query_one("#fault"), app.screen.query_one("#line")
        await until(pilot, lambda: "no such file" in str(fault.render()), "the refusal")
        assert "no such file" in str(fault.render())
        assert "opening" not in str(line.render())


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


async def test_an_empty_folder_says_what_to_do_and_one_with_data_does_not(make_app: MakeApp, tmp_path: Path) -> None:
    async with make_app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "sample data" in text_of(pilot.app.screen.query_one("#choices")))
        assert "No data files" in text_of(pilot.app.screen.query_one("#heading"))
        assert "recipe (2)" in text_of(pilot.app.screen.query_one("#next"))
    (tmp_path / "rows.jsonl").write_text(chat("one") + "\n")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "rows.jsonl" in text_of(pilot.app.screen.query_one("#choices")))
        assert text_of(pilot.app.screen.query_one("#next")).strip() == ""
