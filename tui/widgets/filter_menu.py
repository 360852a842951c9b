"""A menu with a line to type into: what is typed narrows the list, enter takes the entry that is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.clean import clean_line
from tui.actions import Command, declare
from tui.terminal.own_keys import obey
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_editor import LineEditor


@dataclass(frozen=True, slots=True)
class FilterItem:
    """One entry.

    Attributes:
        key: what choosing it gives.
        title: its name; clean.
        words: what is known about it, for a second line; clean, may be "".
        beside: a few words at the right of the title; clean, may be "".
        search: more text that the filter looks at.
        names: other names of it, in lower case; one that is typed in full puts it first.
    """

    key: str
    title: str
    words: str = ""
    beside: str = ""
    search: str = ""
    names: tuple[str, ...] = ()

    def matches(self, words: Sequence[str]) -> bool:
        """Whether each of some words, in lower case, is in its text."""
        text = f"{self.title} {self.beside} {self.words} {self.search} {self.key} {' '.join(self.names)}".lower()
        return all(word in text for word in words)


def filtered(items: Sequence[FilterItem], text: str) -> list[FilterItem]:
    """The entries that match each word of a text: the exact one first, then those whose title has it, then others."""
    text = text.strip().lower()
    found = [item for item in items if item.matches(text.split())]

    def rank(item: FilterItem) -> tuple[bool, bool]:
        return text not in (item.key.lower(), item.title.lower(), *item.names), text not in item.title.lower()

    return sorted(found, key=rank)


class _Entries(OptionList, can_focus=False):
    """The list; the keys belong to the screen, so that text that is typed fast arrives in its order."""


class FilterMenu(ModalScreen[str | None]):
    """Type to filter, move with the arrows, choose with enter; the result is the entry's key, None after esc."""

    DEFAULT_CSS = """
    FilterMenu { align: center middle; }
    FilterMenu > Vertical {
        width: 100; max-width: 100%; height: 80%; background: $surface; padding: 0 1;
        border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
    }
    FilterMenu #typed { height: 1; background: $panel; }
    FilterMenu _Entries { height: 1fr; border: none; padding: 0; background: $surface; scrollbar-size-vertical: 1; }
    FilterMenu _Entries:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    FilterMenu #note { height: auto; color: $text-muted; }
    """

    AUTO_FOCUS = None

    BINDINGS = declare(
        "filter_menu",
        Command("filter_menu.select", "enter", "select", "choose", "Choose the marked entry.", 1, decides=True),
        Command("filter_menu.cancel", "escape", "dismiss(None)", "cancel", "Close without choosing.", 2, "esc"),
        Command("filter_menu.up", "up", "move(-1)", "", "Go to the previous entry.", aside=True),
        Command("filter_menu.down", "down", "move(1)", "", "Go to the next entry.", aside=True),
        Command("filter_menu.page_up", "pageup", "page(-1)", "", "Go one page up.", aside=True),
        Command("filter_menu.page_down", "pagedown", "page(1)", "", "Go one page down.", aside=True),
    )

    def __init__(
        self,
        title: str,
        items: Sequence[FilterItem] = (),
        *,
        hint: str,
        note: str = "",
        free: Callable[[str], FilterItem | None] | None = None,
        chosen: str = "",
    ) -> None:
        """Make the menu.

        Args:
            title: for the border; clean.
            items: the entries; more may come with `show`.
            hint: what the empty line says.
            note: a sentence below the list, such as what is still being read.
            free: an entry for text that is typed and is none of the entries; None where only these can be chosen.
            chosen: the key of the entry that is marked at first.
        """
        super().__init__()
        self._title = title
        self._items = tuple(items)
        self._hint = hint
        self._note = note
        self._free = free
        self._chosen = chosen
        self._found: list[FilterItem] = []
        self._editor = LineEditor()

    def compose(self) -> ComposeResult:
        """The line, the list, a note."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static("", id="typed", markup=False)
            yield _Entries(markup=False)
            yield Static("", id="note", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what there is."""
        self._filter()

    def show(self, items: Sequence[FilterItem], note: str = "") -> None:
        """Show other entries, with the same text typed and the same entry marked."""
        marked = self._marked()
        self._items, self._note = tuple(items), note
        self._chosen = marked.key if marked else self._chosen
        if self.is_mounted:
            self._filter()

    @property
    def shown(self) -> tuple[FilterItem, ...]:
        """The entries in the list now, from top to bottom."""
        return tuple(self._found)

    async def on_key(self, event: events.Key) -> None:
        """What is typed goes into the line, at once and in order."""
        if self._editor.key(event.key, event.character):
            self._chosen = ""
            self._filter()
        elif not await obey(self, event.key):
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text goes into the line."""
        self._editor.insert(event.text)
        self._chosen = ""
        self._filter()
        event.stop()

    def action_move(self, by: int) -> None:
        """Mark another entry."""
        entries = self.query_one(_Entries)
        if self._found:
            entries.highlighted = max(0, min(len(self._found) - 1, (entries.highlighted or 0) + by))

    def action_page(self, direction: int) -> None:
        """Mark the entry a page further."""
        lines = 2 if any(item.words for item in self._found) else 1
        self.action_move(direction * max(1, self.query_one(_Entries).size.height // lines - 1))

    def action_select(self) -> None:
        """Choose the marked entry."""
        marked = self._marked()
        if marked is not None:
            self.dismiss(marked.key)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._found[event.option_index].key)

    def _marked(self) -> FilterItem | None:
        if not self.is_mounted or not self.query(_Entries):
            return None
        at = self.query_one(_Entries).highlighted
        return self._found[at] if at is not None and at < len(self._found) else None

    def _filter(self) -> None:
        if not self.query(_Entries):
            return  # keys that came with the one that opened the menu; it shows what they typed once it is composed
        text = self._editor.text
        self._found = filtered(self._items, text)
        own = self._free(text.strip()) if self._free is not None and text.strip() else None
        if own is not None and all(own.key not in (item.key, item.title) for item in self._found):
            self._found.append(own)
        entries = self.query_one(_Entries)
        width = max(20, entries.scrollable_content_region.width or 76)
        entries.clear_options()
        entries.add_options([Option(_drawn(item, width)) for item in self._found])
        at = next((n for n, item in enumerate(self._found) if item.key == self._chosen), 0)
        entries.highlighted = at if self._found else None
        self._draw_line()
        words = self._note or ("" if self._found else "No match.")
        self.query_one("#note", Static).update(words)

    def _draw_line(self) -> None:
        line = self.query_one("#typed", Static)
        if not self._editor.text:
            line.update(Content.assemble((" ", "reverse"), (self._hint, "$text-muted")))
            return
        window = self._editor.window(max(10, (line.size.width or 76) - 1))
        line.update(Content.assemble(window.before, (window.at or " ", "reverse"), window.after))

    def on_resize(self) -> None:
        """Lay the entries out for the width."""
        if self._found:
            self.call_after_refresh(self._filter)


_BESIDE = 24
"""Cells that what stands beside a title has at least."""


def _drawn(item: FilterItem, width: int) -> Content:
    """The title with what stands beside it, and below it the words, wrapped by the list."""
    title, beside = clean_line(item.title, 400), item.beside
    if len(beside) > (left := max(_BESIDE, width - len(title) - 2)):
        beside = beside[: left - 1] + "…"
    room = width - len(beside) - 2
    if beside and len(title) > room:
        title = "…" + title[-(max(8, room) - 1) :]
    pad = " " * max(1, width - len(title) - len(beside)) if beside else ""
    first = Content.assemble((title, "bold"), (pad + beside, ""))
    return Content.assemble(first, "\n", ("  " + item.words, "$text-muted")) if item.words else first
