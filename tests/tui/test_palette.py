"""The palette: it finds every command that can work, goes to its screen and runs it there."""

from __future__ import annotations

from pathlib import Path

from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from core.jobs.folder import JobFolder
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, counts, scanned, text_of
from tui.app import TunedeckApp
from tui.data.screen import DataScreen
from tui.duplicates.screen import DuplicatesScreen
from tui.runs.screen import RunsScreen
from tui.screens.palette import Palette, PaletteEntry, found
from tui.widgets.choice_menu import ChoiceMenu
from tui.widgets.key_bar import KeyBar


async def opened(pilot: Pilot[int]) -> Palette:
    """The palette, once it lists the commands of all screens."""
    await pilot.press("ctrl+p")
    screen = pilot.app.screen
    assert isinstance(screen, Palette)
    await pilot.app.workers.wait_for_complete([worker for worker in pilot.app.workers if worker.group == "palette"])
    await until(pilot, lambda: bool(screen.shown), "its list")
    return screen


async def run(pilot: Pilot[int], words: str, id: str) -> None:
    """Find a command by words, and run it."""
    palette = await opened(pilot)
    palette.query_one(Input).value = words
    await until(pilot, lambda: id in [entry.name for entry in palette.shown], f"{id} among what is found")
    palette.query_one(OptionList).highlighted = [entry.name for entry in palette.shown].index(id)
    await pilot.press("enter")


def ids(palette: Palette) -> set[str]:
    return {entry.name for entry in palette.shown}


def notes(app: TunedeckApp) -> list[str]:
    return [note.message for note in app._notifications]


def test_words_are_found_in_label_screen_and_help_the_label_first() -> None:
    entries = [
        PaletteEntry("a", "open", "o", "Data", "Open another file."),
        PaletteEntry("b", "compare", "v", "Runs", "Compare what is open and marked."),
        PaletteEntry("c", "reopen", "x", "Runs", "Once more."),
    ]
    assert [entry.name for entry in found(entries, "")] == ["a", "b", "c"]
    assert [entry.name for entry in found(entries, "Open")] == ["a", "c", "b"]
    assert [entry.name for entry in found(entries, "runs open")] == ["c", "b"]
    assert found(entries, "nothing") == []


async def test_only_what_can_work_is_listed_with_its_screen(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        palette = await opened(pilot)
        assert not any(id.startswith(("train.", "samples.", "duplicates.", "evaluate.")) for id in ids(palette))
        assert "runs.delete" not in ids(palette), "there is no run"
        assert {"data.open", "recipe.save", "app.quit", "app.next_theme"} <= ids(palette)
        assert "data.keep" not in ids(palette)
        where = {entry.name: entry.where for entry in palette.shown}
        assert (where["data.open"], where["recipe.save"]) == ("Data", "Recipe")
        assert text_of(palette.query_one(KeyBar)).split()[:4] == ["enter", "run", "esc", "cancel"]
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)
        folder = JobFolder.create(tmp_path / "runs", "night", "training")
        folder.write_status(state="finished", started=1.0, ended=2.0)
        app.session.run = folder.path
        await until(pilot, lambda: app._run_state == "finished", "a look at the run")
        palette = await opened(pilot)
        assert {"train.show_samples", "evaluate.next_differing"} <= ids(palette)
        assert not {"export.copy_path", "train.stop"} & ids(palette), "it has no adapter and does not run"
        assert {"samples.toggle_reference", "samples.toggle_view"} <= ids(palette), "a screen that is opened there"


async def test_a_command_of_another_screen_is_done_there(make_app: MakeApp, tickets: Path) -> None:
    app = make_app("runs", data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await run(pilot, "lists", "data.choose_list")
        await until(pilot, lambda: isinstance(app.screen, ChoiceMenu), "the menu of lists")
        assert app.current_mode == "data"
        await pilot.press("escape", "6")
        await run(pilot, "threshold", "duplicates.set_threshold")
        await until(pilot, lambda: isinstance(app.screen, ChoiceMenu), "the menu of thresholds")
        await pilot.press("escape")
        assert isinstance(app.screen, DuplicatesScreen)
        await run(pilot, "next theme", "app.next_theme")
        await until(pilot, lambda: app.theme == "light", "the theme")
        await run(pilot, "search", "data.search")
        await until(pilot, lambda: isinstance(app.screen, DataScreen) and app.screen.command_line.typing, "the search")  # type: ignore[union-attr]


async def test_what_decides_about_a_row_waits_for_the_key_on_the_row_itself(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("6")
        await run(pilot, "drop", "data.drop")
        await until(pilot, lambda: "Press d to drop." in notes(app), "a hint")
        assert isinstance(app.screen, DataScreen)
        assert "dropped 0" in counts(app)
        await run(pilot, "drop", "data.drop")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop of the row that is shown")


async def test_a_toast_waits_until_a_dialog_is_closed_and_is_not_at_the_foot(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ChoiceMenu), "a menu")
        assert text_of(app.screen.query_one(KeyBar)).split()[:4] == ["enter", "choose", "esc", "cancel"]
        app.notify("something happened")
        await pilot.pause()
        assert notes(app) == []
        await pilot.press("escape")
        await until(pilot, lambda: notes(app) == ["something happened"], "the toast")
        await until(pilot, lambda: bool(app.screen.query("Toast")), "it on the screen")
        assert app.screen.query_one("Toast").region.bottom <= 8


async def test_ctrl_c_says_how_to_quit(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+c")
        assert notes(app) == ["Press q or ctrl+q to quit."]
        app._run_state = "running"
        await pilot.press("ctrl+c")
        assert "keeps running" in notes(app)[-1]
        app._run_state = "paused"
        await pilot.press("ctrl+c")
        assert "stays paused" in notes(app)[-1]
        await pilot.press("f1")
        await pilot.press("ctrl+c")
        assert "esc" in notes(app)[-1], "also over a dialog"
        field = app.screen.query_one(Input)
        field.value = "words"
        field.select_all()
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert app.clipboard == "words"


async def test_what_is_typed_behind_the_key_is_in_the_palette(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        for key, char in (("ctrl+p", None), *((letter, letter) for letter in "2ctheme")):
            app.post_message(Key(key, char))
        await until(pilot, lambda: isinstance(app.screen, Palette) and bool(app.screen.query(Input)), "the palette")
        await until(pilot, lambda: app.screen.query_one(Input).value == "2ctheme", "what was typed")


async def test_digits_behind_a_colon_switch_no_screen_where_there_are_no_rows(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(":", "1", "2", "enter")
        assert app.current_mode == "runs"
        await pilot.press("2")
        assert app.current_mode == "recipe"
