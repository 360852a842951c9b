"""A list of millions of rows that draws only the visible ones.

Textual's DataTable takes 24 s for 100,000 rows. This list knows a count and asks for one row at a time; what it
cannot get within a few milliseconds a paint it draws as `…` and fills in between key presses.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.geometry import Region
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.folding import places
from core.units import count
from tui.actions import Command, declare
from tui.terminal.after_delay import after_delay
from tui.terminal.scrolling import set_height
from tui.widgets.sample_entry import UNKNOWN, Column, ListEntry, Tone
from tui.widgets.wrap import wrap

_PAINT_BUDGET = 0.012
_SLICE = 0.012
"""Seconds that a paint, and a slice between key presses, may spend on reading rows."""

_REMEMBERED = 4_000
"""Entries kept; a screenful is some fifty."""

_ON_ITS_WAY = ListEntry(0, "", "plain", "", (), "…")

LEAST_TEXT = 41
"""Cells of its text that each line shows before a column that is not needed has room: 40, and `…` where it is cut."""

_LEAST_BESIDE_STATUS = 20
"""Cells of text below which the status is a glyph without its word."""

_MARKS = {"": "", "keep": "✓", "drop": "✗"}
_MARK_WORDS = {"keep": "kept", "drop": "dropped"}
_GLYPHS: dict[Tone, str] = {"plain": " ", "good": " ", "flag": "▲", "bad": "■"}


class SampleList(ScrollView, can_focus=True):
    """Rows with a cursor. A position counts the rows that are listed; which rows these are, the caller knows."""

    COMPONENT_CLASSES = {
        "sample-list--number",
        "sample-list--good",
        "sample-list--flag",
        "sample-list--bad",
        "sample-list--keep",
        "sample-list--drop",
        "sample-list--fact",
        "sample-list--preview",
        "sample-list--dropped",
        "sample-list--cursor",
        "sample-list--cursor-blurred",
    }

    DEFAULT_CSS = """
    SampleList {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-color: $border; scrollbar-color-hover: $border; scrollbar-color-active: $primary;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        & > .sample-list--number { color: $text-muted; }
        & > .sample-list--good { color: $text-muted; }
        & > .sample-list--flag { color: $text-warning; }
        & > .sample-list--bad { color: $text-error; text-style: bold; }
        & > .sample-list--keep { color: $text-success; }
        & > .sample-list--drop { color: $text-error; }
        & > .sample-list--fact { color: $text-muted; }
        & > .sample-list--preview { color: $foreground; }
        & > .sample-list--dropped { color: $text-muted; text-style: strike; }
        & > .sample-list--cursor {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold;
        }
        & > .sample-list--cursor-blurred { text-style: bold; background: $panel; }
    }
    """

    BINDINGS = declare(
        "list",
        Command("list.up", "up,k", "move(-1)", "up", "Go to the row above.", shared="up"),
        Command("list.down", "down,j", "move(1)", "down", "Go to the row below.", shared="down"),
        Command("list.page_up", "pageup", "page(-1)", "page up", "Go one page up."),
        Command("list.page_down", "pagedown", "page(1)", "page down", "Go one page down."),
        Command("list.first", "home,g", "first", "first", "Go to the first row.", shared="first"),
        Command("list.last", "end,G", "last", "last", "Go to the last row.", shared="last"),
        Command("list.open", "enter", "choose", "open", "Open this row full screen.", 11, shared="open"),
    )

    class Highlighted(Message):
        """The cursor is on another position."""

        def __init__(self, listing: SampleList, position: int) -> None:
            self.listing = listing
            self.position = position
            super().__init__()

        @property
        def control(self) -> SampleList:
            """The list, for selectors of handlers."""
            return self.listing

    class Chosen(Message):
        """Enter or a double click on a position."""

        def __init__(self, listing: SampleList, position: int) -> None:
            self.listing = listing
            self.position = position
            super().__init__()

        @property
        def control(self) -> SampleList:
            """The list, for selectors of handlers."""
            return self.listing

    def __init__(
        self,
        read: Callable[[int], ListEntry | None],
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make the list.

        Args:
            read: what to show at a position; called in the app's thread, for visible positions only. None while that
                is not known: `look_again` then asks once more.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._read = read
        self._entries: dict[int, ListEntry] = {}
        self._old: dict[int, ListEntry] = {}  # what stands on the screen and is to be read again
        self._count = 0
        self.digits = 3
        """Cells for numbers, for a list whose numbers are larger than it is long."""
        self.status_width = 10
        """Cells for the words of a status."""
        self._columns: tuple[Column, ...] = ()
        self._if_empty = ""
        self._sought = ""
        self._cursor = 0
        self._deadline = 0.0
        self._missing = False
        self._slice_due = False
        self._base = Style()

    # -- how lines look -------------------------------------------------------------------------------------

    @property
    def least_width(self) -> int:
        """Cells of the list, its scroll bar included, with room for `LEAST_TEXT` and the columns that are needed."""
        needed = sum(column.width + 1 for column in self._columns if column.needed)
        return self._before_facts + needed + LEAST_TEXT + 1

    def use_columns(self, *columns: Column) -> None:
        """Say which facts the entries have; the first ones stay longest where there is little room."""
        if columns != self._columns:
            self._columns = columns
            self.refresh()

    def mark_hits(self, folded: str) -> None:
        """Mark a text wherever it stands in a line; "" marks nothing.

        Args:
            folded: the text, as `core.folding.fold` returns it.
        """
        if folded != self._sought:
            self._sought = folded
            self.refresh()

    def say_if_empty(self, words: str) -> None:
        """Set what an empty list says: why it is empty, and what to do; clean."""
        if words != self._if_empty:
            self._if_empty = words
            if not self._count:
                self.refresh()

    # -- what is listed -------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many positions there are."""
        return self._count

    @property
    def cursor(self) -> int:
        """The position of the cursor; 0 in an empty list as well."""
        return self._cursor

    @property
    def shown(self) -> list[int]:
        """The positions that are on the screen with what is known of them."""
        if not self.is_on_screen:
            return []
        return [place for place in self._in_view() if place in self._entries or place in self._old]

    def _in_view(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(self._count, top + self.size.height))

    def grow(self, count: int) -> None:
        """Take in positions at the end; what stands on the screen stays."""
        before, digits, self._count = self._count, self._digits, count
        self._set_height()
        if digits != self._digits:
            self.refresh()
        last = self.scroll_offset.y + self.size.height
        if before < last:
            self.refresh_lines(before, last - before)

    def reset(self, count: int, cursor: int = 0) -> None:
        """List something else: forget every entry and put the cursor on a position."""
        self._entries.clear()
        self._old.clear()
        self._count = count
        self._set_height()
        self._cursor = -1
        self._go(cursor, force=True)
        self.refresh()

    def update(self, position: int | None = None) -> None:
        """Read one position again, or all of them; only lines that differ are drawn again."""
        if position is None:
            self._old.update({place: self._entries[place] for place in self._in_view() if place in self._entries})
            self._entries.clear()
            self._fill()
        elif self._entries.pop(position, None) is not None:
            self.refresh_line(position)

    def look_again(self) -> None:
        """Ask once more for what was not known."""
        for position in self._in_view():
            if position not in self._entries:
                self.refresh_line(position)

    def go_to(self, position: int) -> None:
        """Put the cursor on a position (or the nearest there is), in view."""
        self._go(position)

    # -- keys and mouse -------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Move the cursor by some rows."""
        self._go(self._cursor + step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by whole pages, less one row for the eye to hold on to."""
        self._go(self._cursor + pages * max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last row."""
        self._go(self._count - 1)

    def action_choose(self) -> None:
        """Read the row under the cursor in full."""
        if self._count:
            self.post_message(self.Chosen(self, self._cursor))

    def on_click(self, event: Click) -> None:
        """A click puts the cursor there, a double click chooses."""
        offset = event.get_content_offset(self)
        position = self.scroll_offset.y + offset.y if offset is not None else self._count
        if position < self._count:
            self._go(position)
            if event.chain > 1:
                self.action_choose()

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self._refresh_row(self._cursor)

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self._refresh_row(self._cursor)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._set_height()
        self._show_cursor()

    def notify_style_update(self) -> None:
        """Draw again in the new theme's colors."""
        super().notify_style_update()
        self.refresh()

    # -- drawing --------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a region; rows that would take too long are filled in afterwards."""
        self._deadline = time.monotonic() + _PAINT_BUDGET
        self._missing = False
        self._base = self.rich_style  # for which all ancestors are asked
        strips = super().render_lines(crop)
        if self._missing:
            self._schedule()
        return strips

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.scrollable_content_region.width
        position = self.scroll_offset.y + y
        if not self._count and self._if_empty:
            return self._empty_line(y, width)
        if position >= self._count:
            return Strip.blank(width, self._base)
        entry = self._entries.get(position)
        if entry is None:
            if time.monotonic() > self._deadline and position in self._old:
                entry = self._old[position]
                return self._draw(entry, width, at_cursor=position == self._cursor)
            if time.monotonic() > self._deadline:
                self._missing = True
                return Strip([Segment("  …", self._base)]).adjust_cell_length(width, self._base)
            entry = self._load(position)
        return self._draw(entry, width, at_cursor=position == self._cursor)

    def _empty_line(self, y: int, width: int) -> Strip:
        lines = [self._if_empty[start:end] for start, end in wrap(self._if_empty, width - 2)]
        text = f"  {lines[y]}" if y < len(lines) else ""
        style = self.get_component_rich_style("sample-list--fact")
        return Strip([Segment(text, style)] if text else []).adjust_cell_length(width, self._base)

    @property
    def _digits(self) -> int:
        return max(self.digits, len(count(self._count)))

    @property
    def _before_facts(self) -> int:
        """Cells of cursor, decision, number and status."""
        return 2 + self._digits + 1 + 2 + self.status_width + 1

    def _draw(self, entry: ListEntry, width: int, *, at_cursor: bool) -> Strip:
        # A row of which nothing else is said has room for the decision in words.
        word = entry.status if entry.status not in ("", UNKNOWN) else _MARK_WORDS.get(entry.mark, entry.status)
        status = f"{_GLYPHS[entry.tone]} {word}"
        faulty = entry.tone == "bad"
        room = width - self._before_facts
        if room < _LEAST_BESIDE_STATUS:
            status = _GLYPHS[entry.tone]
            room += self.status_width + 1
        cells = [
            (">" if at_cursor else " ", "number"),
            (_MARKS[entry.mark] or " ", entry.mark or "number"),
            ((count(entry.number) if entry.number else "").rjust(self._digits) + " ", "number"),
            (set_cell_size(status, 2 + self.status_width if len(status) > 1 else 1) + " ", _tone_style(entry.tone)),
        ]
        # The text of a row with a fault is the fault, which has no length and needs the room.
        for column, fact in zip(self._columns, entry.facts, strict=False) if any(entry.facts) or not faulty else ():
            if column.needed or room - column.width - 1 >= LEAST_TEXT:
                cells.append((set_cell_size(fact.rjust(column.width), column.width) + " ", "fact"))
                room -= column.width + 1
        if cells[-1][1] == "fact" and room > LEAST_TEXT:
            cells.append((" ", "fact"))
        cells += self._preview(entry, max(0, width - sum(cell_len(text) for text, _ in cells)))
        over: Style | None = None
        if at_cursor:
            name = "cursor" if self.has_focus else "cursor-blurred"
            over = self.get_component_rich_style(f"sample-list--{name}", partial=not self.has_focus)
        segments = []
        for text, name in cells:
            if name == "hit":
                style = self._hit_style(over)
            else:
                style = self.get_component_rich_style(f"sample-list--{name}")
                style = style + over if over is not None else style
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, segments[-1].style)

    def _preview(self, entry: ListEntry, width: int) -> list[tuple[str, str]]:
        """The row's text in pieces: what was searched for is marked."""
        text, style = _fit(entry.preview, width), "dropped" if entry.mark == "drop" else "preview"
        pieces, done = [], 0
        for start, end in places(text, self._sought) if self._sought else ():
            pieces += [(text[done:start], style), (text[start:end], "hit")]
            done = end
        return [*(piece for piece in pieces if piece[0]), (text[done:], style)]

    def _hit_style(self, over: Style | None) -> Style:
        """A hit is the line's style in reverse, on the cursor's line as well."""
        style = self.get_component_rich_style("sample-list--preview")
        style = style + over if over is not None else style
        return style + Style(reverse=not style.reverse, bold=True)

    def _load(self, position: int) -> ListEntry:
        if len(self._entries) >= _REMEMBERED:
            self._entries = {place: self._entries[place] for place in self._in_view() if place in self._entries}
        entry = self._read(position)
        if entry is None:
            return self._old.get(position, _ON_ITS_WAY)
        self._entries[position] = entry
        return entry

    def _schedule(self) -> None:
        if not self._slice_due:
            self._slice_due = True
            after_delay(self, 0.005, self._fill)

    def _fill(self) -> None:
        """Read visible rows that are missing, for a few milliseconds, and draw them."""
        self._slice_due = False
        deadline = time.monotonic() + _SLICE
        for position in self._in_view():
            if position in self._entries:
                continue
            if time.monotonic() > deadline:
                self._schedule()
                return
            now = self._load(position)
            if self._old.pop(position, None) != now:
                self.refresh_line(position)
        self._old.clear()

    # -- inside ---------------------------------------------------------------------------------------------

    def _go(self, position: int, *, force: bool = False) -> None:
        position = max(0, min(position, self._count - 1))
        before = self._cursor
        if position == before and not force:
            return
        self._cursor = position
        self._show_cursor()
        self._refresh_row(before)
        self._refresh_row(position)
        if self._count:
            self.post_message(self.Highlighted(self, position))

    def _refresh_row(self, position: int) -> None:
        if 0 <= position - self.scroll_offset.y < self.size.height:
            self.refresh_line(position)

    def _show_cursor(self) -> None:
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if height <= 0:
            return
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True)
        else:
            return
        self._read_view()

    def _read_view(self) -> None:
        """Read what is to be painted beforehand, so that neither reading nor painting holds up the keys for long."""
        deadline = time.monotonic() + _SLICE
        for position in self._in_view():
            if time.monotonic() > deadline:
                return
            if position not in self._entries:
                self._load(position)

    def _set_height(self) -> None:
        set_height(self, self.scrollable_content_region.width, self._count)


def _fit(text: str, width: int) -> str:
    """The text in exactly `width` cells, with `…` where something is cut off."""
    if len(text) * 2 <= width or cell_len(text) <= width:
        return text
    return set_cell_size(text[:width], width - 1) + "…" if width else ""


def _tone_style(tone: Tone) -> str:
    return "good" if tone in ("plain", "good") else tone
