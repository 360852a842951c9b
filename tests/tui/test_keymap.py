"""The user's own keys in the app: they do what the file says, footer, help and palette show them, old ones are dead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from core.paths import config_dir
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, counts, rows_list, scanned, text_of
from tui.app import TunedeckApp
from tui.commands.doctor import examine
from tui.screens.palette import Palette
from tui.terminal.own_keys import own_bindings
from tui.train.screen import TrainScreen
from tui.widgets.command_line import CommandLine
from tui.widgets.form import Form
from tui.widgets.key_bar import KeyBar


def keymap(text: str) -> Path:
    path = config_dir() / "keymap.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def footer(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one(KeyBar))


async def help_of(pilot: Pilot[int], key: str) -> str:
    await pilot.press(key)
    await pilot.pause()
    words = text_of(pilot.app.screen.query_one("Static"))
    await pilot.press("escape")
    return words


async def test_a_command_works_with_its_new_key_alone_and_is_shown_with_it(make_app: MakeApp, tickets: Path) -> None:
    keymap('"data.drop" = ["X", "ctrl+d"]\n"app.show_help" = "f12"\n"data.keep" = "K"\n"data.open_duplicates" = "f10"')
    app = make_app(data=(tickets,))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert {"K keep", "X drop", "F12 help"} <= {" ".join(pair) for pair in zip(*_words(footer(app)), strict=True)}
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        palette = {(entry.label, entry.key) for entry in app.screen.shown}
        assert {("keep", "K"), ("drop", "X"), ("duplicates", "F10")} <= palette
        await pilot.press("escape")
        shown = await help_of(pilot, "f12")
        assert re.search(r"^  X ctrl\+d +\w", shown, re.M)
        await pilot.press("d", "a", "question_mark")
        assert "kept 0" in counts(app)
        assert "dropped 0" in counts(app)
        assert not app.screen.is_modal, "no help"
        await pilot.press("X")
        await until(pilot, lambda: "dropped 1" in counts(app), "the first key")
        await pilot.press("ctrl+d")
        await until(pilot, lambda: "dropped 2" in counts(app), "the second key")
        await pilot.press("K")
        await until(pilot, lambda: "kept 1" in counts(app), "the new key")


def _words(line: str) -> tuple[list[str], list[str]]:
    """The keys of a footer, and the first word behind each."""
    parts = [part.split() for part in line.split("  ") if part.strip()]
    return [part[0] for part in parts], [part[1] for part in parts]


async def test_widgets_and_typed_lines_obey_the_new_keys(make_app: MakeApp, tickets: Path) -> None:
    keymap('"list.down" = "J"\n"data.search" = "T"\n"line.apply" = "f8"\n"line.cancel" = "f7"')
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("down", "j")
        assert rows_list(app).cursor == 0
        await pilot.press("J")
        assert rows_list(app).cursor == 1
        await pilot.press("slash")
        line = app.screen.query_one(CommandLine)
        assert not line.typing
        await pilot.press("T", "j", "enter", "escape")
        assert line.typing
        assert "search: j" in text_of(line)
        assert footer(app).split()[:4] == ["F8", "apply", "F7", "cancel"]
        await pilot.press("f7")
        assert not line.typing


async def test_signs_of_several_letters_give_way_to_the_new_key(make_app: Callable[..., TunedeckApp]) -> None:
    keymap('"recipe.save" = "f12"\n"recipe.start" = "ctrl+b"\n"form.down" = "ctrl+j"\n"form.stop_editing" = "f11"')
    app = make_app("recipe")
    async with app.run_test(size=(200, 40)) as pilot:
        await pilot.pause()
        form = app.screen.query_one(Form)
        assert "F12 save" in footer(app)
        assert "ctrl+s" not in footer(app)
        assert "ctrl+b start" in footer(app)
        first = form.current.key
        await pilot.press("ctrl+j")
        assert form.current.key != first
        form.go_to("name", edit=True)
        await pilot.pause()
        assert "F11 done" in footer(app)
        await pilot.press("escape")
        assert "F11 done" in footer(app), "the old key is dead"
        await pilot.press("f11")
        assert "F11 done" not in footer(app)


async def test_a_command_keeps_the_key_that_it_shared_with_one_that_has_another_now(
    make_app: Callable[..., TunedeckApp],
) -> None:
    """Textual takes the old key from all the commands of the widget."""
    keymap('"train.pause" = "P"')
    app = make_app("train")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, TrainScreen)
        bound = own_bindings(app.screen).key_to_bindings
        assert {each.id for each in bound["p"]} == {"train.resume_paused"}
        assert {each.id for each in bound["P"]} == {"train.pause"}


async def test_what_is_wrong_in_the_file_is_said_at_the_start_and_by_the_doctor(
    make_app: Callable[..., TunedeckApp], tmp_path: Path
) -> None:
    path = keymap('"runs.sortt" = "w"\n"runs.delete" = "s"\n"runs.next_order" = "ctrl+foo"\n"runs.filter" = "w"')
    faults = [
        f"{path}: unknown command runs.sortt; did you mean runs.filter?",
        f'{path}: runs.next_order: "ctrl+foo" is not the name of a key',
        f"{path}: runs.delete keeps D, because s is a key of runs.next_order.",
    ]
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        notes = list(app._notifications)
        assert [note.severity for note in notes] == ["warning"] * 3
        assert [note.message.partition(";")[0] for note in notes] == [fault.partition(";")[0] for fault in faults]
        assert {each.id for each in own_bindings(app.screen).key_to_bindings["w"]} == {"runs.filter"}
    facts = examine(tmp_path)
    assert set(notes_of := [note.message for note in notes]) <= set(facts["notes"])
    assert len(notes_of) == 3
    assert not any("keymap" in problem for problem in facts["problems"])
