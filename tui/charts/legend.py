"""Names of curves that bear letters, where a loss that falls leaves room: the upper right corner of a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui.charts.cells import Cells
from tui.charts.plot import Box


class LegendEntry(NamedTuple):
    """A curve in the legend: its letter, its name, its value in words, and the style of its dots."""

    letter: str
    name: str
    value: str
    style: str

    def words(self, *, named: bool) -> str:
        """What stands in the legend."""
        return f" {self.letter} {self.name} {self.value} " if named else f" {self.letter} {self.value.strip()} "


def draw_legend(cells: Cells, box: Box, entries: Sequence[LegendEntry]) -> None:
    """Draw the entries a row each; where that is more than half of the plot, several a row, in the end without names.

    Args:
        cells: where to draw.
        box: the part of the cells that is the plot.
        entries: the curves, from the top.
    """
    most = max(2, box.height // 2)
    named = all(len(entry.words(named=True)) <= box.width * 2 // 3 for entry in entries)
    rows = [[entry] for entry in entries]
    if len(rows) > most:
        rows = _packed(entries, box.width - 2, named=named)
    if len(rows) > most and named:
        named = False
        rows = _packed(entries, box.width - 2, named=named)
    for number, row in enumerate(rows[:most]):
        x = box.x + box.width - sum(len(entry.words(named=named)) for entry in row)
        for entry in row:
            x = cells.put(x, box.y + number, entry.words(named=named), entry.style, end=box.x + box.width)


def _packed(entries: Sequence[LegendEntry], width: int, *, named: bool) -> list[list[LegendEntry]]:
    """As few rows as they fit into."""
    rows: list[list[LegendEntry]] = [[]]
    used = 0
    for entry in entries:
        length = len(entry.words(named=named))
        if rows[-1] and used + length > width:
            rows.append([])
            used = 0
        rows[-1].append(entry)
        used += length
    return rows
