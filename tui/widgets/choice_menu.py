"""A menu over the screen: one line a choice, with what it means."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar
from tui.widgets.wrap import wrap

_BINDINGS = declare(
    "menu",
    Command("menu.select", "enter", "select", "choose", "Choose this.", 1, decides=True, shared="open"),
    Command("menu.up", "up,k", "cursor_up", "up", "Go to the choice above.", shared="up"),
    Command("menu.down", "down,j", "cursor_down", "down", "Go to the choice below.", shared="down"),
    Command("menu.first", "home,g", "first", "first", "Go to the first choice.", shared="first"),
    Command("menu.last", "end,G", "last", "last", "Go to the last choice.", shared="last"),
    Command("menu.cancel", "escape", "dismiss(None)", "cancel", "Close the menu and change nothing.", 2, shared="back"),
)


_WIDTH = 72
"""Cells of a menu, as the style sheet below has it."""

_AROUND = 5
"""Cells of its frame, its padding and a scroll bar."""

_LEAST_WORDS = 12
"""Cells below which what a choice means is not wrapped narrower."""


def _hanging(words: str, indent: int, room: int) -> str:
    """Words wrapped to `room` cells; lines after the first one begin where the first does."""
    return ("\n" + " " * indent).join(words[start:end].rstrip() for start, end in wrap(words, room)) if words else ""


class MenuOptions(OptionList):
    """The choices of a menu; enter takes one only if the menu was there to be read when it was typed."""

    BINDINGS = _BINDINGS[:-1]


class ChoiceMenu(ModalScreen[int | None]):
    """Choose one with the arrows and enter; esc changes nothing. The result is the choice's number, from 0."""

    DEFAULT_CSS = """
    ChoiceMenu { align: center middle; }
    ChoiceMenu > Vertical { width: 72; max-width: 100%; height: auto; max-height: 90%; }
    ChoiceMenu OptionList {
        height: auto; max-height: 100%; border: round $accent; border-title-color: $accent; background: $surface;
        scrollbar-size-vertical: 1;
    }
    ChoiceMenu OptionList:focus { border: round $accent; }
    ChoiceMenu OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    """

    BINDINGS = _BINDINGS[-1:]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]], *, chosen: int = 0) -> None:
        """Make the menu.

        Args:
            title: what is chosen.
            choices: a name and a few words each; clean.
            chosen: where the cursor stands at first.
        """
        super().__init__()
        self._title = title
        self._choices = list(choices)
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """One line a choice."""
        width = max(len(name) for name, _ in self._choices) + 2
        room = max(_LEAST_WORDS, min(_WIDTH, self.app.size.width) - _AROUND - width)
        menu = MenuOptions(
            *(
                Option(Content.assemble((name.ljust(width), "bold"), _hanging(words, width, room)))
                for name, words in self._choices
            )
        )
        menu.highlighted = self._chosen
        menu.border_title = self._title
        with Vertical():
            yield menu
        yield KeyBar()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
