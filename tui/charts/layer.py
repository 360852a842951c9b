"""A plot as it was drawn last: where curves have only grown, the columns of what is new are drawn again, no others."""

from __future__ import annotations

from collections.abc import Sequence

from tui.charts.cells import Cells
from tui.charts.frame import draw_frame
from tui.charts.glyphs import Glyphs
from tui.charts.plot import (
    Box,
    Curve,
    Fill,
    draw_grid,
    draw_plot,
    draw_x_labels,
    draw_y_labels,
    has_marks,
    traces_of,
)
from tui.charts.raster import Trace, Viewport
from tui.charts.xaxis import XUnit


class Ground:
    """Frame, title, grid and labels, which most updates leave as they are."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._cells = Cells(0, 0)
        self._used = 0

    def draw(
        self, size: tuple[int, int], box: Box, view: Viewport, title: str, unit: XUnit, glyphs: Glyphs
    ) -> tuple[Cells, int]:
        """The cells, to be copied, not drawn into, and the column after the title.

        Args:
            size: columns and rows of the chart.
            box: the part of the cells that is the plot.
            view: the part of the plane that it shows.
            title: stands in the frame.
            unit: what x counts.
            glyphs: what the terminal can show.
        """
        key = (size, box, view, title, unit, glyphs.name)
        if key != self._key:
            width, height = size
            self._key, self._cells = key, Cells(width, height)
            self._used = draw_frame(self._cells, glyphs, title=title)
            draw_grid(self._cells, box, view, glyphs, unit)
            draw_y_labels(self._cells, box, view, "label")
            draw_x_labels(self._cells, box, view, height - 1, unit, "label")
        return self._cells, self._used


class Layer:
    """Keeps the cells of ground and curves."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._ground: Cells | None = None
        self._cells: Cells | None = None
        self._traces: list[Trace] = []

    def draw(
        self, ground: Cells, box: Box, view: Viewport, curves: Sequence[Curve], glyphs: Glyphs, *, fill: Fill
    ) -> Cells:
        """The ground with the curves on it; to be copied, not drawn into.

        Args:
            ground: what lies behind the curves; the same object as long as it looks the same.
            box: the part of the cells that is the plot.
            view: the part of the plane that it shows.
            curves: what to draw, from the back; their series may have grown.
            glyphs: what the terminal can show.
            fill: how bands are drawn, as for `draw_plot`.
        """
        marked = [has_marks(box, curve, view) for curve in curves]
        key = (box, view, *curves, glyphs.name, fill, *marked)
        simple = not any(curve.letter or curve.along for curve in curves)
        if self._cells is None or self._ground is not ground or key != self._key or not simple:
            self._key, self._ground, self._traces = key, ground, traces_of(box, view, curves)
            self._cells = Cells(ground.width, ground.height)
            self._cells.lay(ground)
            draw_plot(self._cells, box, view, curves, glyphs, fill=fill, traces=self._traces)
            return self._cells
        for trace in self._traces:
            trace.follow()
        # A mark may be new where no dot is.
        changed = (t.first for t, c in zip(self._traces, curves, strict=True) if not t.same or c.kind == "marked")
        first = min(changed, default=2 * box.width) // 2
        if first < box.width:
            self._cells.lay(ground, box.x + first)
            draw_plot(self._cells, box, view, curves, glyphs, fill=fill, traces=self._traces, first=first)
        return self._cells
