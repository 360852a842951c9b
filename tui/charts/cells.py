"""A rectangle of terminal cells, and the difference between two of them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import get_character_cell_size

MERGE_GAP = 10
"""Unchanged cells that are sent along: moving the cursor over them costs about as many bytes."""


class Cells:
    """Glyphs and style names of a rectangle of cells; what a painted widget draws into.

    A glyph of two cells is followed by an empty string. Style names are the widget's own (component classes).

    Attributes:
        glyphs: rows of one string per cell.
        styles: rows of one style name per cell.
    """

    def __init__(self, width: int, height: int, style: str = "text") -> None:
        self.width = width
        self.height = height
        self.glyphs = [[" "] * width for _ in range(height)]
        self.styles = [[style] * width for _ in range(height)]

    def put(self, x: int, y: int, text: str, style: str, *, end: int | None = None) -> int:
        """Write text at a cell, cut at `end` (default: the row's end); returns the column after it.

        The text must be clean already: no control character may be in it.
        """
        limit = self.width if end is None else min(end, self.width)
        if not 0 <= y < self.height:
            return x
        glyphs, styles = self.glyphs[y], self.styles[y]
        if text.isascii():
            text = text[max(0, -x) :]
            x = max(x, 0)
            piece = text[: max(0, limit - x)]
            glyphs[x : x + len(piece)] = piece
            styles[x : x + len(piece)] = [style] * len(piece)
            return x + len(piece)
        for char in text:
            width = get_character_cell_size(char)
            if width == 0:
                if 0 < x <= limit:
                    glyphs[x - 1] += char
                continue
            if x + width > limit:
                break
            if x >= 0:
                glyphs[x] = char
                styles[x] = style
                if width == 2:
                    glyphs[x + 1] = ""
                    styles[x + 1] = style
            x += width
        return x

    def lay(self, under: Cells, first: int = 0) -> None:
        """Take over what other cells of this size show, from the column `first` on; in rows of their own."""
        if not first:
            self.glyphs = [row[:] for row in under.glyphs]
            self.styles = [row[:] for row in under.styles]
            return
        self.glyphs = [[*own[:first], *row[first:]] for own, row in zip(self.glyphs, under.glyphs, strict=True)]
        self.styles = [[*own[:first], *row[first:]] for own, row in zip(self.styles, under.styles, strict=True)]

    def share(self, under: Cells) -> None:
        """Take over the very rows of other cells of this size, but for the first: only that may be drawn into then."""
        self.glyphs = [under.glyphs[0][:], *under.glyphs[1:]]
        self.styles = [under.styles[0][:], *under.styles[1:]]

    def runs(self, y: int) -> Iterator[tuple[str, str]]:
        """Row `y` as (text, style name) runs."""
        glyphs, styles = self.glyphs[y], self.styles[y]
        start = 0
        for x in range(1, self.width + 1):
            if x == self.width or styles[x] != styles[start]:
                yield "".join(glyphs[start:x]), styles[start]
                start = x

    def changes(self, old: Cells) -> list[tuple[int, int, int]]:
        """Spans `(y, first, end)` in which this rectangle differs from one of the same size."""
        found: list[tuple[int, int, int]] = []
        for y in range(self.height):
            glyphs, styles = self.glyphs[y], self.styles[y]
            was_glyphs, was_styles = old.glyphs[y], old.styles[y]
            if glyphs is was_glyphs and styles is was_styles:
                continue
            if glyphs == was_glyphs and styles == was_styles:
                continue
            start = end = -1
            for x in range(self.width):
                if glyphs[x] == was_glyphs[x] and styles[x] == was_styles[x]:
                    continue
                if start >= 0 and x - end > MERGE_GAP:
                    found.append((y, *self._whole(y, start, end, old)))
                    start = -1
                if start < 0:
                    start = x
                end = x + 1
            found.append((y, *self._whole(y, start, end, old)))
        return found

    def _whole(self, y: int, start: int, end: int, old: Cells) -> tuple[int, int]:
        """The span widened so that it never starts or ends within a glyph of two cells."""
        while start > 0 and "" in (self.glyphs[y][start], old.glyphs[y][start]):
            start -= 1
        while end < self.width and "" in (self.glyphs[y][end], old.glyphs[y][end]):
            end += 1
        return start, end

    def text(self) -> list[str]:
        """The rows as plain text."""
        return ["".join(row) for row in self.glyphs]
