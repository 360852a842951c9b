"""A screen of panes: their commands are the screen's, wherever the focus is, and typed text is never a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from textual.app import ComposeResult
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widget import Widget

from tests.kit.app_waiting import until
from tests.kit.data_screen import text_of
from tui.actions import Command, declare, in_pane
from tui.app import TunedeckApp
from tui.screens.base import StepScreen
from tui.screens.help import HelpScreen
from tui.screens.palette import Palette
from tui.screens.pane import Pane
from tui.widgets.command_line import CommandLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.text_view import TextView

MakeApp = Callable[..., TunedeckApp]


class Left(Pane):
    """Has the focus, and a command that may be off."""

    NAME = "left"
    COMMANDS = (Command("probe.count", "c,f2", "count(2)", "count", "Count by two.", 2),)

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0
        self.on = True

    def compose(self) -> ComposeResult:
        yield TextView(id="text")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.on

    def action_count(self, step: int) -> None:
        self.counted += step


class Right(Pane):
    """Has text typed."""

    NAME = "right"
    COMMANDS = (
        Command("probe.note", "n", "note", "note", "Type a note.", 1, opens_line=True),
        Command("probe.number", "i", "number", "number", "Type a number.", 3, opens_line=True),
    )

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    def action_note(self) -> None:
        self.ask_line("note", "enter writes it", self.taken.append)

    def action_number(self) -> None:
        self.ask_line("number", "enter goes there", self.taken.append, digits=True)


class Probe(StepScreen):
    """Two panes and a command line."""

    STEP = "data"
    SCOPE = "probe"
    BINDINGS = declare("probe", *in_pane("right", Right.COMMANDS), *in_pane("left", Left.COMMANDS))

    def compose_body(self) -> Iterable[Widget]:
        yield Left()
        yield Right()
        yield CommandLine()

    def on_mount(self) -> None:
        self.query_one(TextView).focus()


async def probe(pilot: Pilot[int]) -> tuple[Left, Right, CommandLine]:
    screen = Probe()
    await pilot.app.push_screen(screen)
    await pilot.pause()
    assert isinstance(pilot.app.focused, TextView)
    return screen.query_one(Left), screen.query_one(Right), screen.query_one(CommandLine)


def footer(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one(KeyBar))


async def burst(pilot: Pilot[int], keys: Iterable[str]) -> None:
    """Keys that are all there before the first of them is looked at."""
    for key in keys:
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))
    await pilot.pause()


async def test_commands_of_all_panes_work_wherever_the_focus_is_and_are_one_list(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        left, right, _ = await probe(pilot)
        await pilot.press("c", "n", "x", "enter")
        assert (left.counted, right.taken) == (2, ["x"])
        assert footer(app).split()[:6] == ["n", "note", "c", "count", "i", "number"]
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        assert [entry.label for entry in app.screen.shown[:3]] == ["note", "count", "number"]
        await pilot.press("escape")
        await pilot.click(KeyBar, offset=(footer(app).index("count"), 0))
        assert left.counted == 4
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        words = text_of(app.screen.query_one("Static"))
        assert words.index("Type a note.") < words.index("Count by two.")


async def test_a_command_works_only_while_its_pane_is_there_and_says_so(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        left, right, _ = await probe(pilot)
        left.on = False
        await pilot.press("c")
        app.screen.refresh_bindings()
        await pilot.pause()
        assert left.counted == 0
        assert "count" not in footer(app)
        right.disabled = True
        await pilot.pause()
        await pilot.press("n", "x")
        assert "note" not in footer(app)
        await right.remove()
        await pilot.press("n", "x", "enter")
        assert right.taken == []


async def test_text_typed_fast_behind_a_key_is_text_and_what_follows_it_are_keys(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        left, right, line = await probe(pilot)
        await burst(pilot, [*"n2cq", "left", "left", "X", "enter", "c", *"n?", "escape", *"i1", "2", "enter", "c"])
        assert right.taken == ["2Xcq", "12"]
        assert left.counted == 4
        await pilot.press("n", *"cut", "ctrl+u")
        app.post_message(Paste("答案 می‌روم\nand more"))
        await pilot.pause()
        assert "note: 答案 می‌روم" in text_of(line)
        assert footer(app).split()[:4] == ["enter", "apply", "esc", "cancel"]
        assert "ctrl+q quit" in footer(app), "q is text now"
        await pilot.press("enter")
        assert right.taken[-1] == "答案 می‌روم"
        await pilot.press("i", "7", "x", "c", "8", "enter")
        assert right.taken[-1] == "78", "a number ignores letters"
        assert left.counted == 4, "and no other command gets them meanwhile"


@pytest.mark.parametrize("keys", ["m", "f5"])
async def test_a_key_that_was_given_to_another_command_does_not_open_the_line_any_more(
    make_app: MakeApp, keys: str
) -> None:
    """The keys of typed lines stood in tables of their own: with the note on another key, `n` still opened it."""
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        app.set_keymap({"probe.note": keys})
        app.update_keymap({"line.apply": "f8"})
        left, right, line = await probe(pilot)
        await burst(pilot, ["n", "c"])
        assert not line.typing
        assert left.counted == 2
        await burst(pilot, [keys, "c", "f8"])
        assert right.taken == ["c"]
        assert left.counted == 2


async def test_a_long_line_shows_its_end_within_the_width_and_nothing_that_a_terminal_obeys(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(60, 20)) as pilot:
        _, right, line = await probe(pilot)
        await pilot.press("n")
        line.add("a" * 300 + "重" * 30 + "\x1b[2J\nmore")
        await pilot.pause()
        shown = text_of(line)
        assert shown.strip().startswith("note: ")
        assert shown.rstrip().endswith("重[2J")
        assert len(shown.splitlines()) == 1
        await pilot.press("enter")
        assert right.taken == ["a" * 300 + "重" * 30 + "[2J"]
        await pilot.press("n")
        line.add("b" * 5_000)
        await pilot.press("b", "enter")
        assert right.taken[-1] == "b" * 2_000


async def test_words_that_are_too_long_are_cut_to_one_line_at_every_width(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test(size=(120, 40)) as pilot:
        _, _, line = await probe(pilot)
        line.rest("words " * 18)
        await until(pilot, lambda: text_of(line).strip() == ("words " * 18).strip(), "all of them")
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: text_of(line).rstrip().endswith("…"), "the cut")
        await until(pilot, lambda: line.outer_size.height == 1, "one line")
        line.rest("words " * 18, wrapped=True)
        await until(pilot, lambda: line.outer_size.height == 2, "two lines")
        line.rest("▲ " + "words " * 18 + "advice")
        await until(pilot, lambda: text_of(line).rstrip().endswith("advice"), "a warning wraps")
        line.show_message("short")
        await until(pilot, lambda: line.outer_size.height == 1, "one line again")
