"""A few lines of styled text of which only the changed cells are sent."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from tui.charts.cells import Cells
from tui.widgets.painted import Painted

StyledLine = Sequence[tuple[str, str]]
"""Pieces of clean text, each with the name of a style (see `TextLines.COMPONENT_CLASSES`)."""


class TextLines(Painted):
    """Lines that change often and in few places: a clock, counters, the last events."""

    PREFIX = "text-lines"

    COMPONENT_CLASSES = {
        "text-lines--text",
        "text-lines--muted",
        "text-lines--strong",
        "text-lines--good",
        "text-lines--warning",
        "text-lines--error",
        "text-lines--key",
    }
    """
    | Class | Description |
    | :- | :- |
    | `text-lines--text`, `text-lines--muted`, `text-lines--strong` | Values, labels, what matters most. |
    | `text-lines--good`, `text-lines--warning`, `text-lines--error` | Status, always beside a word that says it. |
    | `text-lines--key` | A key to press. |
    """

    DEFAULT_CSS = """
    TextLines {
        height: auto;
        & > .text-lines--text { color: $foreground; }
        & > .text-lines--muted { color: $text-muted; }
        & > .text-lines--strong { color: $foreground; text-style: bold; }
        & > .text-lines--good { color: $text-success; text-style: bold; }
        & > .text-lines--warning { color: $text-warning; text-style: bold; }
        & > .text-lines--error { color: $text-error; text-style: bold; }
        & > .text-lines--key { color: $accent; text-style: bold; }
    }
    """

    def __init__(
        self,
        *,
        wrap: bool = True,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """Make it without lines.

        Args:
            wrap: whether long lines wrap; if not, they are cut.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
            disabled: whether the widget is disabled.
        """
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self._wrap = wrap
        self._lines: list[list[tuple[str, str]]] = []

    @property
    def plain(self) -> list[str]:
        """The lines as text."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def show(self, lines: Sequence[StyledLine]) -> None:
        """Show other lines."""
        new = [list(line) for line in lines]
        if new == self._lines:
            return
        resized = self._height(self.size.width, new) != self._height(self.size.width, self._lines)
        self._lines = new
        if resized:
            self.refresh(layout=True)
        self.repaint()

    def _height(self, width: int, lines: Sequence[StyledLine]) -> int:
        return sum(len(_wrap(line, width)) for line in lines) if width and self._wrap else len(lines)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as the lines need."""
        return self._height(width, self._lines)

    def paint(self, cells: Cells) -> None:
        """The lines from the top."""
        y = 0
        for line in self._lines:
            for row in _wrap(line, cells.width) if self._wrap else [line]:
                x = 0
                for text, style in row:
                    x = cells.put(x, y, text, style)
                if not self._wrap and sum(cell_len(text) for text, _ in row) > cells.width:
                    cells.put(cells.width - 1, y, self.glyphs.cut, "muted")
                y += 1


def _wrap(line: StyledLine, width: int) -> list[list[tuple[str, str]]]:
    """A line as rows of at most `width` cells, broken at spaces."""
    if not line or sum(cell_len(text) for text, _ in line) <= width:
        return [list(line)]
    rows: list[list[tuple[str, str]]] = [[]]
    used = 0
    for text, style in line:
        for word in text.replace(" ", " \0").split("\0"):
            if used and used + cell_len(word.rstrip()) > width:
                rows.append([])
                used = 0
                word = word.lstrip()
            if word:
                rows[-1].append((word, style))
                used += cell_len(word)
    return [row for row in rows if row]
