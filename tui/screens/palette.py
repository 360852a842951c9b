"""The command palette: every command of every screen, found by its label and its help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar

_LABEL, _KEY = 26, 14
"""Cells of the columns."""


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """One line of the palette.

    Attributes:
        name: tells it from all others; the id of a command.
        label: what it is called.
        key: its key, as the footer writes it; "" for none.
        where: the title of its screen.
        help: a sentence.
    """

    name: str
    label: str
    key: str
    where: str
    help: str

    def rank(self, words: list[str]) -> int | None:
        """How well it fits what is typed, 0 best; None where a word is missing."""
        label, where = self.label.lower(), self.where.lower()
        if all(label.startswith(word) for word in words):
            return 0
        for rank, text in enumerate((label, f"{label} {where}", f"{label} {where} {self.help.lower()} {self.key}"), 1):
            if all(word in text for word in words):
                return rank
        return None


def found(entries: Iterable[PaletteEntry], typed: str) -> list[PaletteEntry]:
    """The entries that have all the words that are typed, the best first."""
    words = typed.lower().split()
    ranked = [(rank, entry) for entry in entries if (rank := entry.rank(words)) is not None]
    return [entry for _, entry in sorted(ranked, key=lambda each: each[0])]


_BINDINGS = declare(
    "palette",
    Command("palette.run", "enter", "submit", "run", "Go to the command's screen and run it.", 1),
    Command("palette.up", "up", "move(-1)", "up", "Go to the command above.", priority=True),
    Command("palette.down", "down", "move(1)", "down", "Go to the command below.", priority=True),
    Command("palette.page_up", "pageup", "move(-10)", "page up", "Go up ten commands.", priority=True),
    Command("palette.page_down", "pagedown", "move(10)", "page down", "Go down ten commands.", priority=True),
    Command("palette.close", "escape,ctrl+p", "close", "cancel", "Close the list.", 2, "esc", priority=True),
)


class _Filter(Input):
    """The words that a command must have."""

    BINDINGS = _BINDINGS[:1]


class Palette(ModalScreen[PaletteEntry | None]):
    """Type to narrow the commands; enter runs the one under the cursor, esc closes. The result is what was chosen."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical {
        width: 84; max-width: 100%; height: auto; max-height: 90%; margin-top: 1; border: round $accent;
        background: $surface; border-title-color: $accent;
    }
    Palette Input { padding: 0 1; background: $panel; }
    Palette OptionList { height: auto; border: none; background: $surface; scrollbar-size-vertical: 1; }
    Palette OptionList:focus { border: none; }
    Palette OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    Palette Static { height: 2; padding: 0 1; color: $text-muted; }
    """

    BINDINGS = _BINDINGS[1:]

    def __init__(self, entries: Iterable[PaletteEntry]) -> None:
        """Make the palette.

        Args:
            entries: those that are known by now; `add` brings the others.
        """
        super().__init__()
        self._entries = list(entries)
        self._shown: list[PaletteEntry] = []

    @property
    def shown(self) -> list[PaletteEntry]:
        """What is listed now."""
        return list(self._shown)

    def compose(self) -> ComposeResult:
        """The filter, the list, the help of the entry under the cursor."""
        with Vertical() as box:
            box.border_title = "commands"
            yield _Filter(placeholder="type to search commands of all screens", compact=True)
            menu = OptionList()
            menu.can_focus = False
            yield menu
            yield Static("", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Everything is listed at first."""
        self.set_focus(self.query_one(Input))  # at once: what is typed behind ctrl+p is text
        self._fill()

    def on_resize(self) -> None:
        """The help of the entry under the cursor stays in view."""
        self.query_one(OptionList).styles.max_height = max(3, self.size.height - 10)

    def add(self, entries: Iterable[PaletteEntry]) -> None:
        """List more."""
        self._entries += entries
        at = self.query_one(OptionList).highlighted
        chosen = self._shown[at].name if at is not None and self._shown else ""
        self._fill(chosen if at else "")

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._fill()

    @on(Input.Submitted)
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is not None and self._shown:
            self.dismiss(self._shown[at])

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index])

    @on(OptionList.OptionHighlighted)
    def _tell(self) -> None:
        at = self.query_one(OptionList).highlighted
        self.query_one(Static).update(self._shown[at].help if at is not None and self._shown else "")

    def action_move(self, lines: int) -> None:
        """Move the cursor while the filter keeps the focus; single steps go round the ends."""
        menu = self.query_one(OptionList)
        last = len(self._shown) - 1
        if last >= 0:
            to = (menu.highlighted or 0) + lines
            menu.highlighted = to % (last + 1) if abs(lines) == 1 else min(max(to, 0), last)

    def action_close(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def _fill(self, chosen: str = "") -> None:
        """List what fits, the cursor on the first entry or on the chosen one."""
        self._shown = found(self._entries, self.query_one(Input).value)
        menu = self.query_one(OptionList)
        menu.clear_options()
        menu.add_options(Option(_line(entry)) for entry in self._shown)
        if self._shown:
            menu.highlighted = next((n for n, entry in enumerate(self._shown) if entry.name == chosen), 0)
        else:
            self.query_one(Static).update("No matching command.")


def _line(entry: PaletteEntry) -> Content:
    return Content.assemble(
        (entry.label.ljust(_LABEL), "bold"), " ", (entry.key.ljust(_KEY), "$accent"), " ", (entry.where, "$text-muted")
    )
