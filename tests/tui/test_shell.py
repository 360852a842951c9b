"""The shell round all screens: header, footer, help, themes, sizes, and the wall against control characters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color
from textual.geometry import Region

from core.paths import config_dir
from tests.kit.one_widget import text_of
from tui import actions
from tui.app import TunedeckApp
from tui.screens.base import StepScreen
from tui.screens.help import HelpScreen
from tui.terminal.guard import ControlFilter
from tui.themes import load_themes
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import TopBar

MakeApp = Callable[..., TunedeckApp]


def shown(app: TunedeckApp, kind: type[TopBar] | type[KeyBar]) -> str:
    """The text of the header or the footer."""
    if kind is TopBar:
        return text_of(app.screen.query_one(TopBar))[0]
    return app.screen.query_one(KeyBar).render().plain


@pytest.mark.parametrize("width", [60, 80, 110, 160])
async def test_the_header_fits_its_line_and_names_the_step(make_app: MakeApp, width: int) -> None:
    app = make_app("runs")
    async with app.run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        header = shown(app, TopBar)
        assert len(header) <= width
        assert "6 RUNS" in header
        assert all(key in header for key in "123456")


async def test_the_clock_in_the_header_is_drawn_each_time_that_it_changes(make_app: MakeApp) -> None:
    """What was drawn first stayed for up to 15 s, until something else had the header drawn anew."""
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        bar = app.screen.query_one(TopBar)
        for second in range(3):
            bar.status = f"running 15 of 1,120  0:00:4{second}"
            await pilot.pause()
            drawn = bar.render_lines(Region(0, 0, 80, 1))[0].text
            assert drawn.endswith(f"  running  0:00:4{second} ")


async def test_the_footer_shows_only_keys_that_work_now(make_app: MakeApp) -> None:
    app = make_app("export")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert "copy" not in shown(app, KeyBar)
        assert "quit" in shown(app, KeyBar)


async def test_digits_walk_the_steps_and_help_lists_the_keys_of_the_screen(make_app: MakeApp) -> None:
    app = make_app("export")
    async with app.run_test() as pilot:
        await pilot.press("4")
        await pilot.pause()
        assert app.current_mode == "evaluate"
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        words = " ".join(str(app.screen.query_one("Static").render()).split())
        assert all(command.help in words for command in actions.commands(["evaluate", "app"]))
        await pilot.press(*"next theme")
        words = str(app.screen.query_one("Static").render())
        assert "F9" in words
        assert "F1" not in words, "what is typed narrows the list"
        await pilot.press("escape")
        assert "F1" in str(app.screen.query_one("Static").render()), "esc clears the filter first"
        await pilot.press("escape")
        assert app.current_mode == "evaluate"


async def test_a_terminal_that_is_too_small_says_so_and_comes_back(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        sentence = app.screen.query_one("#too-small")
        assert sentence.display
        assert "20x5" in str(sentence.render())
        assert not app.screen.query_one("#body").display
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert not sentence.display
        assert app.screen.query_one("#body").display


async def test_f9_takes_the_next_theme_until_it_is_round(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test() as pilot:
        seen = [app.theme]
        for _ in range(3):
            await pilot.press("f9")
            seen.append(app.theme)
        assert seen == ["dark", "light", "terminal", "dark"]


async def test_no_color_takes_the_terminals_own_colors(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app("runs")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.theme == "terminal"


async def test_a_theme_that_is_chosen_is_named_and_is_there_at_the_next_start(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test() as pilot:
        await pilot.press("f9")
        assert [note.message for note in app._notifications] == [f"Theme: {app.theme}"]
        await app.workers.wait_for_complete()
    assert app.theme != "dark"
    assert make_app("runs").theme == app.theme
    assert not (config_dir() / "settings.toml").exists()


async def test_a_broken_theme_is_named_and_left_out(make_app: MakeApp) -> None:
    folder = config_dir() / "themes"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text('primary = "no colour"')
    (folder / "mine.toml").write_text('name = "mine"\nprimary = "#ff0000"')
    themes, faults = load_themes()
    assert [theme.name for theme in themes] == ["dark", "light", "terminal", "mine"]
    assert [fault.partition(":")[0] for fault in faults] == ["Cannot load the theme broken.toml"]
    async with make_app("runs").run_test() as pilot:
        await pilot.pause()
        assert pilot.app.theme == "dark"


def test_the_wall_turns_control_characters_of_any_widget_into_glyphs() -> None:
    wall = ControlFilter()
    harmless = [Segment("plain")]
    assert wall.apply(harmless, Color.parse("black")) is harmless
    cleaned = wall.apply([Segment("a\x1b]52;c;eA==\x07b\nc\x9b")], Color.parse("black"))
    assert "".join(text for text, _, _ in cleaned) == "a␛]52;c;eA==␇b⏎c\ufffd"


def test_every_command_has_a_sentence_and_no_two_share_an_id() -> None:
    for _, name, _ in actions.STEPS:
        import_module(f"tui.{name}.screen")
    ids = [command.id for command in actions.commands(["app", *(name for _, name, _ in actions.STEPS)])]
    assert len(ids) == len(set(ids))
    assert all(command.help.endswith(".") for command in actions.by_id().values())


def test_a_command_of_another_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        actions.declare("data", actions.Command("runs.x", "x", "x", "x", "X."))


def test_the_session_is_named_after_what_is_open(tmp_path: Path) -> None:
    from tui.session import Session

    session = Session(tmp_path)
    assert session.title == tmp_path.name
    session.data = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert session.title == "a.jsonl +1"
    session.data = (Path(),)
    assert session.title == Path.cwd().name
    session.run = tmp_path / "runs" / "night"
    assert session.title == "night"


async def test_what_a_thread_has_read_for_a_screen_is_dropped_once_the_app_is_left(make_app: MakeApp) -> None:
    """A list of runs that was ready while the program was quitting ended it with a traceback."""
    app = make_app("runs")
    called: list[str] = []
    async with app.run_test() as pilot:
        screen = app.screen
        assert isinstance(screen, StepScreen)
        await asyncio.to_thread(screen.from_thread, called.append, "now")
        assert called == ["now"]
        app._exit = True  # what `exit` does first; the widgets go after that
        await asyncio.to_thread(screen.from_thread, called.append, "too late")
        app._exit = False
        await pilot.pause()
    assert called == ["now"]
