"""A table of any number of rows with a cursor; it draws the visible ones, and sends the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message

from tui.actions import Command, declare
from tui.charts.cells import Cells
from tui.widgets.painted import Painted

_LEAST = 16
"""Cells that a column of flexible width wants; for them, others are left out."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column.

    Attributes:
        title: above it.
        width: in cells; 0 for the one that takes what is left.
        right: whether its values end at its right edge, as numbers do.
        rank: columns with a higher one are left out first where there is no room.
    """

    title: str
    width: int = 0
    right: bool = False
    rank: int = 0


TableCell = tuple[str, str]
"""Clean text and the name of a style (see `Table.COMPONENT_CLASSES`)."""


class Table(Painted, can_focus=True):
    """Rows under a line of titles. Which rows these are, the caller knows: it is asked for the visible ones."""

    PREFIX = "table"

    COMPONENT_CLASSES = {
        "table--text",
        "table--muted",
        "table--strong",
        "table--good",
        "table--warning",
        "table--error",
        "table--cursor",
        "table--cursor-blurred",
    }
    """
    | Class | Description |
    | :- | :- |
    | `table--text`, `table--muted`, `table--strong` | Values, titles, what matters most. |
    | `table--good`, `table--warning`, `table--error` | Status, always beside a word that says it. |
    | `table--cursor`, `table--cursor-blurred` | The row under the cursor, with and without the focus. |
    """

    DEFAULT_CSS = """
    Table {
        height: 1fr;
        & > .table--text { color: $foreground; }
        & > .table--muted { color: $text-muted; }
        & > .table--strong { color: $foreground; text-style: bold; }
        & > .table--good { color: $text-success; }
        & > .table--warning { color: $text-warning; }
        & > .table--error { color: $text-error; text-style: bold; }
        & > .table--cursor { background: $block-cursor-background 30%; }
        & > .table--cursor-blurred { background: $panel; }
    }
    """

    BINDINGS = declare(
        "table",
        Command("table.up", "up,k", "move(-1)", "up", "Go to the row above.", shared="up"),
        Command("table.down", "down,j", "move(1)", "down", "Go to the row below.", shared="down"),
        Command("table.page_up", "pageup", "page(-1)", "page up", "Go one page up."),
        Command("table.page_down", "pagedown", "page(1)", "page down", "Go one page down."),
        Command("table.first", "home,g", "move(-1000000000)", "first", "Go to the first row.", shared="first"),
        Command("table.last", "end,G", "move(1000000000)", "last", "Go to the last row.", shared="last"),
        Command("table.select", "enter", "choose", "open", "Open this row.", shared="open"),
    )

    class Highlighted(Message):
        """The cursor is on another row."""

    class Chosen(Message):
        """Enter or a double click on a row."""

    def __init__(
        self, columns: Sequence[TableColumn], read: Callable[[int], Sequence[TableCell]], *, id: str | None = None
    ) -> None:
        """Make the table.

        Args:
            columns: one of them flexible.
            read: the cells of a row, one for each column; asked for visible rows only.
            id: the widget's id.
        """
        super().__init__(id=id)
        self._columns = list(columns)
        self._read = read
        self._count = 0
        self._cursor = 0
        self._top = 0

    @property
    def cursor(self) -> int:
        """The row of the cursor; 0 in an empty table as well."""
        return self._cursor

    @property
    def shown(self) -> range:
        """The rows that are on the screen."""
        return range(self._top, min(self._count, self._top + self._rows))

    def set_columns(self, columns: Sequence[TableColumn]) -> None:
        """Take other columns, as many as each row has cells."""
        self._columns = list(columns)
        self.repaint()

    def show(self, count: int, cursor: int) -> None:
        """Show other rows, or the same ones with other values."""
        self._count = count
        self._go(cursor)
        self.repaint()

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        self._move_to(self._cursor + by)

    def action_page(self, pages: int) -> None:
        """Move the cursor by whole pages, less one row for the eye to hold on to."""
        self._move_to(self._cursor + pages * max(1, self._rows - 1))

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self._count:
            self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there, a double click chooses."""
        offset = event.get_content_offset(self)
        if offset is not None and 0 < offset.y <= len(self.shown):
            self._move_to(self._top + offset.y - 1)
            if event.chain > 1:
                self.action_choose()

    def on_mouse_scroll_down(self) -> None:
        """The wheel moves the cursor."""
        self._move_to(self._cursor + 3)

    def on_mouse_scroll_up(self) -> None:
        """The wheel moves the cursor."""
        self._move_to(self._cursor - 3)

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._go(self._cursor)

    @property
    def _rows(self) -> int:
        return max(1, self.size.height - 1)

    def _move_to(self, row: int) -> None:
        before = self._cursor
        self._go(row)
        if self._cursor != before:
            self.repaint()
            self.post_message(self.Highlighted())

    def _go(self, row: int) -> None:
        self._cursor = max(0, min(row, self._count - 1))
        self._top = max(0, min(self._top, self._cursor, self._count - self._rows))
        self._top = max(self._top, self._cursor - self._rows + 1)

    def paint(self, cells: Cells) -> None:
        """Titles, and the visible rows."""
        places = self._places(cells.width)
        for column, x, end in places:
            _put(cells, x, 0, end, self._columns[column].title, "muted", right=self._columns[column].right)
        over = "cursor" if self.has_focus else "cursor-blurred"
        for y, row in enumerate(self.shown, 1):
            values = self._read(row)
            at_cursor = row == self._cursor
            under = f"+{over}" if at_cursor else ""
            if at_cursor:
                cells.put(0, y, " " * cells.width, f"text{under}")
                cells.put(0, y, ">", f"strong{under}")
            for column, x, end in places:
                text, style = values[column]
                _put(cells, x, y, end, text, style + under, right=self._columns[column].right, cut=self.glyphs.cut)

    def _places(self, width: int) -> list[tuple[int, int, int]]:
        """Each column that has room: its number, its first cell, and the one after its last."""
        kept = list(range(len(self._columns)))

        def left() -> int:
            return width - 2 - sum(self._columns[n].width + 1 for n in kept if self._columns[n].width)

        while left() < _LEAST and len(kept) > 1:
            last = max(kept, key=lambda n: self._columns[n].rank)
            if not self._columns[last].rank:
                break
            kept.remove(last)
        rest = max(1, left())
        found, x = [], 2
        for number in kept:
            end = x + (self._columns[number].width or rest)
            found.append((number, x, end))
            x = end + 1
        return found


def _put(cells: Cells, x: int, y: int, end: int, text: str, style: str, *, right: bool = False, cut: str = "…") -> None:
    width = cell_len(text)
    if width > end - x:
        cells.put(cells.put(x, y, text, style, end=end - 1), y, cut, style)
    else:
        cells.put(end - width if right else x, y, text, style, end=end)
