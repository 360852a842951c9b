"""A bar of one line: one part solid to an eighth of a cell, further parts shaded, the rest dotted; and sparklines."""

from __future__ import annotations

from collections.abc import Sequence

from tui.charts.cells import Cells
from tui.charts.glyphs import Glyphs

VISIBLE = 0.01
"""A shaded part of at least this share has a cell of its own."""


def draw_bar(
    cells: Cells,
    glyphs: Glyphs,
    x: int,
    y: int,
    width: int,
    share: float,
    style: str,
    *,
    more: float = 0.0,
    more_style: str = "others",
    rest_style: str = "rest",
) -> None:
    """Draw a bar; shapes alone tell its parts apart, colors only help.

    Args:
        cells: where to draw.
        glyphs: what the terminal can show.
        x: first column.
        y: row.
        width: cells.
        share: the solid part, 0 to 1.
        style: its style.
        more: the shaded part after it, 0 to 1.
        more_style: its style.
        rest_style: style of what is left.
    """
    if width <= 0:
        return
    share = min(max(share, 0.0), 1.0)
    whole, part = divmod(round(share * width * 8), 8)
    if more >= VISIBLE:
        whole, part = round(share * width), 0  # the parts touch at a cell's edge
    cells.put(x, y, glyphs.rest * width, rest_style)
    shaded = min(width, round((share + max(more, 0.0)) * width))
    if more >= VISIBLE:
        shaded = min(width, max(shaded, whole + 1))
    if shaded > whole:
        cells.put(x + whole, y, glyphs.shade * (shaded - whole), more_style)
    cells.put(x, y, glyphs.bar[8] * whole, style)
    if part and glyphs.bar[part] != " ":
        cells.put(x + whole, y, glyphs.bar[part], style)


def draw_spark(
    cells: Cells,
    glyphs: Glyphs,
    x: int,
    y: int,
    width: int,
    values: Sequence[float | None],
    top: float,
    style: str,
) -> None:
    """Draw the last values as cells of different heights, the newest at the right; a missing one is a dot.

    Args:
        cells: where to draw.
        glyphs: what the terminal can show.
        x: first column.
        y: row.
        width: cells.
        values: from 0 to `top`, oldest first.
        top: the value of a full cell.
        style: their style.
    """
    shown = list(values)[-width:]
    cells.put(x, y, glyphs.rest * (width - len(shown)), "rest")
    for number, value in enumerate(shown, start=x + width - len(shown)):
        if value is None:
            cells.put(number, y, glyphs.rest, "rest")
            continue
        last = len(glyphs.levels) - 1
        cells.put(number, y, glyphs.levels[min(max(round(value / top * last), 0), last)], style)
