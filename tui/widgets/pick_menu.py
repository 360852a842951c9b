"""A menu over the screen in which any number of choices can be taken, and a filter that finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar


class MenuItem(NamedTuple):
    """What can be taken: its key, its name and a few words on it, all clean."""

    key: str
    name: str
    words: str = ""


class Picked(NamedTuple):
    """What was taken, in the order of the menu or of the taking, and the one that was pinned, or "" for none."""

    keys: tuple[str, ...]
    pinned: str = ""


_BINDINGS = declare(
    "pick",
    Command("pick.toggle", "enter", "submit", "select", "Select this choice, or unselect it.", 1),
    Command("pick.up", "up", "move(-1)", "up", "Go to the choice above.", priority=True),
    Command("pick.down", "down", "move(1)", "down", "Go to the choice below.", priority=True),
    Command("pick.pin", "ctrl+t", "pin", "pin", "Pin this choice, where that is possible.", 3, priority=True),
    Command("pick.close", "escape", "close", "done", "Close the list; the selection applies.", 2, priority=True),
)


class _Filter(Input):
    """The words that the choices must have."""

    BINDINGS = _BINDINGS[:1]


class PickMenu(ModalScreen[Picked]):
    """Type to filter; enter takes or leaves a choice, ctrl+t pins it where that is offered, esc closes."""

    DEFAULT_CSS = """
    PickMenu { align: center middle; }
    PickMenu > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 90%; border: round $accent; background: $surface;
        border-title-color: $accent;
    }
    PickMenu Input { padding: 0 1; background: $panel; }
    PickMenu OptionList {
        height: auto; max-height: 20; border: none; background: $surface; scrollbar-size-vertical: 1;
    }
    PickMenu OptionList:focus { border: none; }
    PickMenu OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    """

    BINDINGS = _BINDINGS[1:]

    def __init__(
        self,
        title: str,
        choices: Sequence[MenuItem],
        taken: Iterable[str],
        *,
        noun: str,
        fate: str = "shown",
        most: int | None = None,
        pinned: str | None = None,
    ) -> None:
        """Make the menu.

        Args:
            title: what is chosen.
            choices: what there is.
            taken: keys of what is taken already.
            noun: what the choices are, in the plural.
            fate: what becomes of those that are taken, such as `shown`.
            most: how many may be taken; None for all.
            pinned: the key of the pinned choice, "" for none; None where nothing can be pinned.
        """
        super().__init__()
        self._title = title
        self._choices = list(choices)
        self._taken = list(taken)
        self._noun, self._fate = noun, fate
        self._most = most
        self._pinned = pinned
        self._found: list[MenuItem] = []

    def compose(self) -> ComposeResult:
        """The filter and the list."""
        with Vertical() as box:
            box.border_title = self._title
            yield _Filter(placeholder=f"type to filter the {len(self._choices)} {self._noun}", compact=True)
            yield OptionList()
        yield KeyBar()

    def on_mount(self) -> None:
        """Everything is found at first."""
        self.query_one(OptionList).can_focus = False
        self.query_one(Input).focus()
        self._fill("", 0)

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._fill(event.value, 0)

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        self._toggle()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._toggle()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Pinning is not offered everywhere."""
        return self._pinned is not None if action == "pin" else super().check_action(action, parameters)

    def action_move(self, lines: int) -> None:
        """Move the cursor of the list while the filter keeps the focus."""
        menu = self.query_one(OptionList)
        if self._found:
            menu.highlighted = ((menu.highlighted or 0) + lines) % len(self._found)

    def action_pin(self) -> None:
        """Pin the choice under the cursor, or no longer."""
        choice = self._at_cursor()
        if choice is None or self._pinned is None:
            return
        self._pinned = "" if self._pinned == choice.key else choice.key
        if self._pinned and choice.key not in self._taken and not self._full:
            self._taken.append(choice.key)
        self._refill()

    def action_close(self) -> None:
        """Take what is marked."""
        pinned = self._pinned if self._pinned in self._taken else ""
        self.dismiss(Picked(tuple(self._taken), pinned or ""))

    @property
    def _full(self) -> bool:
        return self._most is not None and len(self._taken) >= self._most

    def _at_cursor(self) -> MenuItem | None:
        at = self.query_one(OptionList).highlighted
        return self._found[at] if at is not None and at < len(self._found) else None

    def _toggle(self) -> None:
        choice = self._at_cursor()
        if choice is None:
            return
        if choice.key in self._taken:
            self._taken.remove(choice.key)
        elif not self._full:
            self._taken.append(choice.key)
        self._refill()

    def _refill(self) -> None:
        self._fill(self.query_one(Input).value, self.query_one(OptionList).highlighted or 0)

    def _fill(self, wanted: str, cursor: int) -> None:
        words = wanted.lower().split()
        self._found = [each for each in self._choices if all(word in each.name.lower() for word in words)]
        menu = self.query_one(OptionList)
        menu.clear_options()
        width = max((len(each.name) for each in self._found), default=0) + 2
        menu.add_options(
            Option(
                Content.assemble(
                    "[x] " if each.key in self._taken else "[ ] ",
                    (each.name.ljust(width), "bold" if each.key in self._taken else ""),
                    each.words,
                    "  pinned" if each.key == self._pinned else "",
                )
            )
            for each in self._found
        )
        if self._found:
            menu.highlighted = min(cursor, len(self._found) - 1)
        box = self.query_one(Vertical)
        limit = f", {self._most} at most" if self._most is not None else ""
        shown = f"{len(self._taken)} of {len(self._choices)} {self._noun} {self._fate}{limit}"
        box.border_subtitle = shown
