"""A frame around cells that carries a title, live values and, at its foot, the ticks of an axis."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.charts.cells import Cells
from tui.charts.glyphs import Glyphs

StyledText = tuple[str, str]
"""A clean text and the style that it is written in."""


def draw_frame(
    cells: Cells,
    glyphs: Glyphs,
    *,
    title: str,
    values: Sequence[StyledText] = (),
    style: str = "frame",
    title_style: str = "title",
) -> int:
    """Draw a frame along the edge of the cells: the title at the left of its head, values at the right.

    Values that do not fit are left out from the left, so that the last one stays longest.

    Returns:
        The column after the title.
    """
    width, height = cells.width, cells.height
    if width < 4 or height < 2:
        return width
    left_top, right_top, left_foot, right_foot, edge, side, _ = tuple(glyphs.frame)
    cells.put(0, 0, left_top + edge * (width - 2) + right_top, style)
    for y in range(1, height - 1):
        cells.put(0, y, side, style)
        cells.put(width - 1, y, side, style)
    cells.put(0, height - 1, left_foot + edge * (width - 2) + right_foot, style)
    used = cells.put(2, 0, f" {title} ", title_style, end=width - 2) if title else 2
    draw_values(cells, used, values, style)
    return used


def draw_values(cells: Cells, used: int, values: Sequence[StyledText], style: str = "frame") -> None:
    """Draw values at the right of a frame's head, of which `used` cells are taken by the title."""
    width = cells.width
    shown = list(values)
    while shown and sum(cell_len(text) + 1 for text, _ in shown) + 1 > width - used - 2:
        del shown[0]
    if not shown:
        return
    x = width - 3 - sum(cell_len(text) + 1 for text, _ in shown)
    x = cells.put(x + 0, 0, " ", style)
    for text, value_style in shown:
        x = cells.put(x, 0, text, value_style)
        x = cells.put(x, 0, " ", style)


def clear_label(cells: Cells, glyphs: Glyphs, y: int, start: int, end: int) -> None:
    """Take away what would be left of the labels that text from `start` to `end` covers in part, in a frame's row."""
    edge = glyphs.frame[4]
    for x, step in ((start - 1, -1), (end, 1)):
        while 0 < x < cells.width - 1 and cells.styles[y][x] == "label":
            cells.put(x, y, edge, "frame")
            x += step
