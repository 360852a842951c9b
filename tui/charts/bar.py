"""A bar of one line: one part solid to an eighth of a cell, further parts shaded, the rest dotted."""

from __future__ import annotations

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
    """Draw a bar; shapes alone tell its parts apart, colours only help.

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
