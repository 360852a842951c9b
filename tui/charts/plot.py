"""Curves, grid, ticks and crosshair drawn into cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.units import count
from tui.charts.axis import Tick, linear_ticks, log_ticks
from tui.charts.cells import Cells
from tui.charts.glyphs import Glyphs
from tui.charts.raster import FULL, CellSpan, Dots, Trace, Viewport
from tui.charts.series import Series
from tui.charts.xaxis import STEPS, Along, XUnit, ticks


@dataclass(frozen=True)
class Curve:
    """One series in a plot and how it is drawn.

    Attributes:
        name: what the legend calls it.
        series: its values.
        kind: `band` fills from smallest to largest, `line` draws the mean, `marked` draws a line with a mark at each
            value, for series of few values.
        style: style of its dots.
        legend: whether its last value stands in the chart's frame.
        along: what the x axis counts in this curve's run, in place of steps.
        letter: stands at the line's end, so that lines of several runs are distinct without colors; or "".
    """

    name: str
    series: Series
    kind: Literal["band", "line", "marked"]
    style: str
    legend: bool = True
    along: Along | None = None
    letter: str = ""

    def place(self, step: float) -> float:
        """Where a step lies on the axis."""
        return self.along.place(step) if self.along else step

    def step(self, place: float) -> float:
        """The step at a place on the axis."""
        return self.along.step(place) if self.along else place


Fill = Literal["tint", "shade", "alone"]

FILL = "fill"
"""Style of the cells that a band covers wholly."""

DASHES = ((1, 0), (5, 3), (1, 2), (10, 3), (2, 3), (3, 1))
"""Dot columns drawn and left out, in turn: where there is no color, lines with letters differ by them."""

LETTERS_APART = 24
"""Cells between two places at which such a line says its letter."""


@dataclass(frozen=True)
class Box:
    """A rectangle of cells: left column, top row, width, height."""

    x: int
    y: int
    width: int
    height: int


def y_ticks(view: Viewport, height: int) -> list[Tick]:
    """Ticks for a y axis of so many cells, six at most."""
    wanted = max(2, min(6, round(height / 3.5)))
    return (log_ticks if view.log else linear_ticks)(view.y0, view.y1, wanted)


def x_ticks(view: Viewport, width: int, unit: XUnit) -> list[Tick]:
    """Ticks for an x axis of so many cells; never parts of a step."""
    return ticks(view.x0, view.x1, unit, max(1, width // 12))


def draw_plot(
    cells: Cells,
    box: Box,
    view: Viewport,
    curves: Sequence[Curve],
    glyphs: Glyphs,
    *,
    fill: Fill,
    traces: Sequence[Trace] | None = None,
    first: int = 0,
) -> None:
    """Draw curves: bands behind lines, lines with marks behind those without, all marks in front.

    Args:
        cells: where to draw.
        box: the part of the cells that is the plot.
        view: the part of the plane that it shows.
        curves: what to draw, from the back.
        glyphs: what the terminal can show.
        fill: how bands differ from lines: by a tint behind the cells, by shade in the cells that a band fills
            (there is a dim color, but no tint), or by shade alone (there is no color).
        traces: the dots of each curve, where they are known.
        first: the column of the box from which on the curves are drawn; none of them may have a letter then.
    """
    if box.width <= 0 or box.height <= 0:
        return
    known = list(zip(curves, traces or traces_of(box, view, curves), strict=True))
    for curve, trace in known:
        if curve.kind == "band":
            _put_band(cells, box, trace.spans, glyphs, curve.style, fill, first)
    lines = [(curve, trace.spans) for curve, trace in known if curve.kind != "band"]
    lettered: list[tuple[Curve, list[CellSpan]]] = []
    for curve, spans in sorted(lines, key=lambda line: line[0].kind == "line"):
        if curve.letter and fill == "alone":
            lettered.append((curve, spans))
            spans = _dashed(spans, _number(curve))
        dots = Dots(box.width, box.height)
        dots.draw(spans, 2 * first)
        _put_line(cells, box, dots, glyphs, curve.style, first)
    for curve, _ in lines:
        if curve.kind == "marked":
            _put_marks(cells, box, curve, view, glyphs, first)
    for curve, spans in lettered:
        _put_letters(cells, box, curve, spans)
    for curve, _ in lines:
        if curve.letter:
            _put_letter(cells, box, curve, view)


def traces_of(box: Box, view: Viewport, curves: Sequence[Curve]) -> list[Trace]:
    """The dots of each curve in a plot of this size."""
    columns, rows = box.width * 2, box.height * 4
    return [Trace(curve.series, view, columns, rows, curve.along, means=curve.kind != "band") for curve in curves]


def _number(curve: Curve) -> int:
    """The place of the curve's letter in the alphabet, from 0."""
    return ord(curve.letter.lower()) - ord("a")


def _dashed(spans: Sequence[CellSpan], number: int) -> list[CellSpan]:
    """A line with the gaps of its dash pattern."""
    on, off = DASHES[number % len(DASHES)]
    return [span if column % (on + off) < on else None for column, span in enumerate(spans)]


def _put_letters(cells: Cells, box: Box, curve: Curve, spans: Sequence[CellSpan]) -> None:
    """The curve's letter along it; those of other curves lie between."""
    first = LETTERS_APART * _number(curve) // len(DASHES) % LETTERS_APART
    for x in range(first, box.width, LETTERS_APART):
        span = spans[2 * x]
        if span is not None:
            row = min(max((span[0] + span[1]) // 8, 0), box.height - 1)
            cells.put(box.x + x, box.y + row, curve.letter, curve.style)


def _put_band(
    cells: Cells, box: Box, spans: Sequence[CellSpan], glyphs: Glyphs, style: str, fill: Fill, column: int
) -> None:
    """Whole cells of the band as a tint or as shade, its edges and thin places as dots, from a column on."""
    dots = Dots(box.width, box.height)
    dots.draw(spans, 2 * column)
    shapes = [glyphs.shade] * (FULL + 1) if fill == "alone" else [*glyphs.dots[:FULL], glyphs.shade]
    styles = [style] * (FULL + 1)
    if fill == "tint":
        shapes[FULL], styles[FULL] = " ", FILL
    for y in range(box.height):
        row = dots.masks[y * box.width + column : (y + 1) * box.width]
        if not any(row):
            continue
        glyph_row, style_row = cells.glyphs[box.y + y], cells.styles[box.y + y]
        for x, mask in enumerate(row, box.x + column):
            if mask:
                glyph_row[x], style_row[x] = shapes[mask], styles[mask]


def _put_line(cells: Cells, box: Box, dots: Dots, glyphs: Glyphs, style: str, column: int) -> None:
    """Draw the cells that have dots, from a column on.

    A cell has one color: where lines meet, it is wholly the upper one's.
    """
    masks, width = dots.masks, box.width
    on_band = f"{style}+fill"
    for y in range(box.height):
        row = masks[y * width + column : (y + 1) * width]
        if not any(row):
            continue
        glyph_row, style_row = cells.glyphs[box.y + y], cells.styles[box.y + y]
        for x, mask in enumerate(row, box.x + column):
            if mask:
                glyph_row[x] = glyphs.dots[mask]
                style_row[x] = on_band if style_row[x].endswith(FILL) else style


def has_marks(box: Box, curve: Curve, view: Viewport) -> bool:
    """Whether a series has marks at its values: of too many they would hide the line."""
    first, end = curve.series.positions(curve.step(view.x0), curve.step(view.x1))
    return curve.kind == "marked" and end - first <= box.width // 3


def _put_marks(cells: Cells, box: Box, curve: Curve, view: Viewport, glyphs: Glyphs, column: int) -> None:
    """A mark at each value of a series, from a column on.

    In braille it is a knot of dots, true to a quarter of a cell; else a glyph.
    """
    if not has_marks(box, curve, view):
        return
    series = curve.series
    first, end = series.positions(curve.step(view.x0), curve.step(view.x1))
    row = view.rows(box.height * 4)
    dots = Dots(box.width, box.height)
    for position in range(first, end):
        if not series.bounds(position, position + 1).size:
            continue
        y, x = row(series.y[position]), view.column(curve.place(series.x[position]), box.width * 2) // 2
        if glyphs.name == "braille":
            dots.fill(2 * x, y - 1, y + 1)
            dots.fill(2 * x + 1, y - 1, y + 1)
        elif 0 <= y // 4 < box.height and x >= column:
            cells.put(box.x + x, box.y + y // 4, glyphs.legend["marked"], curve.style)
    _put_line(cells, box, dots, glyphs, curve.style, column)


def _put_letter(cells: Cells, box: Box, curve: Curve, view: Viewport) -> None:
    """The curve's letter, a cell after its last value in view."""
    series = curve.series
    _, end = series.positions(curve.step(view.x0), curve.step(view.x1))
    if not end or not series.bounds(end - 1, end).size:
        return
    x = view.column(curve.place(series.x[end - 1]), box.width * 2) // 2
    y = view.rows(box.height * 4)(series.y[end - 1]) // 4
    if 0 <= y < box.height and x >= 0:
        cells.put(box.x + min(x + 1, box.width - 1), box.y + y, curve.letter, curve.style)


def draw_grid(cells: Cells, box: Box, view: Viewport, glyphs: Glyphs, unit: XUnit = STEPS) -> None:
    """Dotted lines at the ticks of both axes, `unit` being what x counts; before the curves."""
    if box.width <= 0 or box.height <= 0:
        return
    for tick in x_ticks(view, box.width, unit):
        x = view.column(tick.value, box.width * 2) // 2
        if 0 < x < box.width:
            for y in range(box.height):
                cells.put(box.x + x, box.y + y, glyphs.grid_y, "grid")
    row = view.rows(box.height * 4)
    for tick in y_ticks(view, box.height):
        y = row(tick.value) // 4
        if 0 <= y < box.height:
            cells.put(box.x, box.y + y, (glyphs.grid_x * box.width)[: box.width], "grid")


def draw_y_labels(cells: Cells, box: Box, view: Viewport, style: str) -> None:
    """Tick labels left of the plot, ending one cell before it."""
    row = view.rows(box.height * 4)
    for tick in y_ticks(view, box.height):
        y = row(tick.value) // 4
        if 0 <= y < box.height:
            cells.put(box.x - 1 - len(tick.label), box.y + y, tick.label, style)


def draw_x_labels(cells: Cells, box: Box, view: Viewport, y: int, unit: XUnit, style: str) -> None:
    """Tick labels in row `y`, centered under their grid lines, the first with the unit; at the right the axis' end."""
    end = view.x1 / unit.size
    last = f" {count(round(end)) if unit.whole or end >= 100 else f'{end:.3g}'} "
    end_at = box.x + box.width - len(last)
    free, first = box.x - 1, True
    for tick in x_ticks(view, box.width, unit):
        at = max(box.x + view.column(tick.value, box.width * 2) // 2 - len(tick.label) // 2, box.x)
        label = f"{tick.label} {unit.name}" if first else tick.label
        if at < free or at + len(label) + 1 > end_at:
            continue
        free, first = cells.put(at, y, label, style) + 2, False
    cells.put(end_at, y, last, style)


def draw_crosshair(cells: Cells, box: Box, column: int, glyphs: Glyphs) -> None:
    """A line through a cell column of the plot, behind the curves."""
    if not 0 <= column < box.width:
        return
    for y in range(box.y, box.y + box.height):
        if cells.styles[y][box.x + column] in ("grid", "text"):
            cells.put(box.x + column, y, glyphs.cross, "crosshair")
        elif cells.styles[y][box.x + column] == FILL:
            cells.glyphs[y][box.x + column] = glyphs.cross
            cells.styles[y][box.x + column] = "crosshair+fill"


def label_width(view: Viewport, height: int) -> int:
    """Cells that the widest y label needs."""
    return max((len(tick.label) for tick in y_ticks(view, height)), default=1)
