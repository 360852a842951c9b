"""A chart of growing series: what matters is on it at any size, and an update sends a few cells."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from math import inf, isfinite

from core.units import count, significant
from tui.charts.axis import StableRange, grown_end
from tui.charts.cells import Cells
from tui.charts.frame import StyledText, clear_label, draw_frame, draw_values
from tui.charts.layer import Ground, Layer
from tui.charts.legend import LegendEntry, draw_legend
from tui.charts.plot import (
    Box,
    Curve,
    Fill,
    draw_crosshair,
    label_width,
)
from tui.charts.raster import Viewport
from tui.charts.xaxis import STEPS, XUnit
from tui.widgets.painted import Painted

ZOOM = 0.5
"""Part of the visible steps that stays visible after zooming in once."""

SMALLEST_WINDOW = 4.0
"""Places on x below which zooming in stops."""


class Chart(Painted):
    """Curves over steps within a frame that carries the title and the last values.

    The x axis reaches to the run's last step and the y axis moves seldom, so that new values change few cells.
    """

    PREFIX = "chart"

    COMPONENT_CLASSES = {
        "chart--text",
        "chart--frame",
        "chart--title",
        "chart--label",
        "chart--grid",
        "chart--crosshair",
        "chart--empty",
        "chart--badge",
        "chart--value",
        "chart--band",
        "chart--fill",
        "chart--first",
        "chart--second",
        "chart--third",
        "chart--fourth",
        "chart--fifth",
        "chart--sixth",
        "chart--seventh",
    }
    """
    | Class | Description |
    | :- | :- |
    | `chart--frame`, `chart--title`, `chart--value` | The frame, the title and the values in it. |
    | `chart--label`, `chart--grid` | Tick labels and grid lines. |
    | `chart--crosshair` | The cursor: the line at whose step the values are read. |
    | `chart--empty`, `chart--badge` | The sentence without data; the count of values that are not finite. |
    | `chart--band`, `chart--fill` | From smallest to largest value: its edges and thin places; whole cells of it. |
    | `chart--first` to `chart--seventh` | Lines. |
    """

    DEFAULT_CSS = """
    Chart {
        width: 1fr;
        height: 1fr;
        min-height: 4;
        & > .chart--text { color: $foreground; }
        & > .chart--frame { color: $border; }
        & > .chart--title { color: $foreground; text-style: bold; }
        & > .chart--value { color: $foreground; }
        & > .chart--label { color: $text-muted; }
        & > .chart--grid { color: $chart-grid; }
        & > .chart--crosshair { color: $foreground; text-style: bold; }
        & > .chart--empty { color: $text-muted; }
        & > .chart--badge { color: $text-error; text-style: bold; }
        & > .chart--band { color: $chart-band; }
        & > .chart--fill { background: $chart-band 32%; }
        & > .chart--first { color: $chart-train; }
        & > .chart--second { color: $chart-eval; }
        & > .chart--third { color: $chart-third; }
        & > .chart--fourth { color: $chart-fourth; }
        & > .chart--fifth { color: $chart-fifth; }
        & > .chart--sixth { color: $chart-sixth; }
        & > .chart--seventh { color: $chart-seventh; }
    }
    """

    def __init__(
        self,
        title: str,
        curves: Sequence[Curve],
        *,
        unit: XUnit = STEPS,
        from_zero: bool = False,
        empty: str = "no values",
        write: Callable[[float], str] = significant,
        write_x: Callable[[float], str] | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """Make a chart.

        Args:
            title: what is drawn, in the frame.
            curves: the series, from the back; they may grow, then `repaint` shows it.
            unit: what x counts.
            from_zero: whether a linear y axis begins at 0 however high the values lie.
            empty: the lines shown while there is no value.
            write: how a value is written in the frame.
            write_x: how a place on x is written beside the values under the crosshair; it is given the step there.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
            disabled: whether the widget is disabled.
        """
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self.title = title
        self.curves = list(curves)
        self.unit = unit
        self.from_zero = from_zero
        self.empty = empty
        self.log_scale = False
        self._write = write
        self._write_x = write_x or (lambda x: f"step {count(round(x))}")
        self._note = ""
        self._end = 0.0
        self._known_end = False
        self._window: tuple[float, float] | None = None
        self._cross: float | None = None
        self._range = StableRange()
        self._gutter = 0
        self._plot_width = 1
        self._ground = Ground()
        self._layer = Layer()
        self._labeled: tuple[Viewport, int] | None = None
        self._filled: Fill | None = None

    # --- what is shown

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Show other series, as a whole."""
        self.curves = list(curves)
        self._end, self._known_end = 0.0, False
        self._window = self._cross = None
        self._reset_y()

    def describe(self, title: str, write: Callable[[float], str], *, from_zero: bool, note: str = "") -> None:
        """Say what is drawn from now on; arguments as for the chart itself.

        `note` stands beside the values, where there is room.
        """
        self.title, self._write, self.from_zero, self._note = title, write, from_zero, note

    def set_other_curves(self, curves: Sequence[Curve]) -> None:
        """Show more or fewer curves over the same axis. Takes effect with the next `repaint`."""
        self.curves = list(curves)
        self._forget_gutter()

    def set_unit(self, unit: XUnit) -> None:
        """Let x count in another unit of the same; takes effect with the next `repaint`."""
        self.unit = unit

    @property
    def empty_now(self) -> bool:
        """Whether there is no value to draw."""
        return not any(len(curve.series) for curve in self.curves)

    def set_end(self, end: float | None) -> None:
        """The place of the run's last step, to which the axis reaches from the beginning; None while it is unknown."""
        self._known_end = bool(end)
        if end:
            self._end = float(end)

    @property
    def zoomed(self) -> bool:
        """Whether less than the whole run is shown."""
        return self._window is not None

    @property
    def crosshair(self) -> float | None:
        """The place under the crosshair, or None without one."""
        return self._cross

    def toggle_log(self) -> bool:
        """Switch between a linear and a logarithmic y axis; refused (False) without a positive value."""
        if not self.log_scale and not any(
            curve.series.within(*map(curve.step, self.span())).hi > 0 for curve in self.curves
        ):
            return False
        self.log_scale = not self.log_scale
        self._forget_gutter()
        self.repaint()
        return True

    def span(self) -> tuple[float, float]:
        """First and last place on x that are shown."""
        if self._window is not None:
            return self._window
        newest = self._newest(0.0)
        if newest > self._end:
            self._end = newest if self._known_end else grown_end(self._end, newest)
        return 0.0, self._end or 1.0

    def zoom(self, factor: float) -> None:
        """Show `factor` times as many steps, around the crosshair, else towards the newest value."""
        x0, x1 = self.span()
        center = self._cross if self._cross is not None else min(self._newest(x1), x1)
        width = max((x1 - x0) * factor, SMALLEST_WINDOW)
        self._window = None
        whole = self.span()
        if width < whole[1] - whole[0]:
            part = (center - x0) / (x1 - x0)
            self._set_window(center - width * part, width)
        self._reset_y()

    def pan(self, part: float) -> None:
        """Move the visible steps by a part of their width; without zoom there is nothing to move."""
        if self._window is not None:
            x0, x1 = self._window
            self._set_window(x0 + (x1 - x0) * part, x1 - x0)
            self._reset_y()

    def show_all(self) -> None:
        """The whole run again, without crosshair."""
        self._window = self._cross = None
        self._reset_y()

    def share(self, other: Chart) -> None:
        """Show the places on x, and read values off at the place, that another chart does."""
        if (self._window, self._cross) == (other._window, other._cross):
            return
        moved = self._window != other._window
        self._window, self._cross = other._window, other._cross
        if moved:
            self._reset_y()
        else:
            self.repaint()

    def move_crosshair(self, cells: int) -> None:
        """Set up the crosshair at the newest value, or move it by so many cells, by a value at least."""
        drawn = [curve for curve in self.curves if len(curve.series)]
        if not drawn:
            return
        x0, x1 = self.span()
        if self._cross is None:
            own = [curve for curve in drawn if not curve.letter] or drawn
            newest = [(c, c.series.positions(c.step(x0), c.step(x1))[1]) for c in own]
            self._cross = max(curve.place(curve.series.x[max(end - 1, 0)]) for curve, end in newest)
        else:
            self._cross = _next_value(drawn, self._cross, cells * (x1 - x0) / max(1, self._plot_width))
        if self._window is not None and not x0 <= self._cross <= x1:
            self._set_window(self._cross - (x1 - x0) / 2, x1 - x0)
        self.repaint()

    def _set_window(self, x0: float, width: float) -> None:
        self._window = None
        whole = self.span()
        x0 = min(max(x0, whole[0]), whole[1] - width)
        self._window = (x0, x0 + width)

    def _reset_y(self) -> None:
        self._range.reset()
        self._forget_gutter()
        self.repaint()

    def _forget_gutter(self) -> None:
        """The labels' column may become narrower."""
        self._gutter, self._labeled = 0, None

    def _newest(self, without: float) -> float:
        """The place of the newest value."""
        places = (curve.place(curve.series.x[-1]) for curve in self.curves if len(curve.series))
        return max(places, default=without)

    # --- drawing

    def view(self) -> Viewport:
        """The part of the plane that is shown, with bounds that move only when they must."""
        x0, x1 = self.span()
        lo, hi = inf, -inf
        for curve in self.curves:
            found = curve.series.within(curve.step(x0), curve.step(x1))
            if found.size:
                lo, hi = min(lo, found.lo), max(hi, found.hi)
        log = self.log_scale and hi > 0
        if self.from_zero and not log:
            lo = min(lo, 0.0)
        if log and lo <= 0:
            lo = hi / 1e4  # what is not positive lies below the axis
        return Viewport(x0, x1, *self._range.update(lo, hi, log=log), log)

    def paint(self, cells: Cells) -> None:
        """Frame, ticks, grid, curves, crosshair."""
        title = self.title + (" (log)" if self.log_scale else "") + (" zoomed" if self.zoomed else "")
        if cells.height < 3 or cells.width < 16 or self.empty_now:
            draw_frame(cells, self.glyphs, title=title, values=self._values())
            if cells.height >= 3 and self.empty_now:
                self._paint_empty(cells)
            return
        view = self.view()
        if self._labeled != (view, cells.height):
            self._labeled = (view, cells.height)
            self._gutter = max(self._gutter, label_width(view, cells.height - 2) + 2)
        box = Box(1 + self._gutter, 1, cells.width - 2 - self._gutter, cells.height - 2)
        self._plot_width = box.width
        size = cells.width, cells.height
        ground, used = self._ground.draw(size, box, view, title, self.unit, self.glyphs)
        drawn = self._layer.draw(ground, box, view, self.curves, self.glyphs, fill=self._fill())
        others = self._named_others()
        if self._cross is None and not others:
            cells.share(drawn)  # only the values in the frame are drawn over it
        else:
            cells.lay(drawn)
        draw_values(cells, used, self._values())
        if self._cross is not None:
            column = view.column(self._cross, box.width * 2) // 2
            draw_crosshair(cells, box, column, self.glyphs)
            place = f" {self._write_x(self.curves[-1].step(self._cross))} "
            at = min(max(box.x + column - len(place) // 2, 1), max(cells.width - 1 - len(place), 1))
            clear_label(cells, self.glyphs, cells.height - 1, at, at + len(place))
            cells.put(at, cells.height - 1, place, "value", end=cells.width - 1)
        draw_legend(cells, box, others)

    def _paint_empty(self, cells: Cells) -> None:
        """The words that stand in the curves' place, wrapped, in the middle."""
        room, width = cells.height - 2, max(10, cells.width - 4)
        rows = [row for line in self.empty.split("\n") for row in textwrap.wrap(line, width)][:room]
        for y, row in enumerate(rows, 1 + (room - len(rows)) // 2):
            cells.put(max(2, (cells.width - len(row)) // 2), y, row, "empty", end=cells.width - 1)

    def _named_others(self) -> list[LegendEntry]:
        """Curves with a letter and values; under the crosshair none is said of a run that ended before."""
        named = [(c, self._value(c)) for c in self.curves if c.letter and c.legend and len(c.series)]
        return [
            LegendEntry(c.letter, c.name, "-" if value is None else self._write(value), c.style) for c, value in named
        ]

    def _fill(self) -> Fill:
        """How bands are filled with the colors that there are here."""
        if self._filled is None:
            if self.app.no_color or self.glyphs.name == "ascii":
                self._filled = "alone"
            else:
                self._filled = "shade" if self.app.native_ansi_color else "tint"
        return self._filled

    def notify_style_update(self) -> None:
        """Another theme may have other kinds of color."""
        self._filled = None
        super().notify_style_update()

    def _values(self) -> list[StyledText]:
        """The last values, or those under the crosshair, of the run's own curves; how many values were not finite."""
        pieces: list[StyledText] = [(self._note, "label")] if self._note else []
        bad = max((len(curve.series.not_finite) for curve in self.curves), default=0)
        if bad:
            pieces.append((f"{count(bad)} not finite ", "badge"))
        for curve in self.curves:
            value = self._value(curve)
            if value is None or not curve.legend or curve.letter:
                continue
            label = f"{curve.name} " if curve.name else ""
            pieces.append((self.glyphs.legend[curve.kind], curve.style))
            style = "badge" if not isfinite(value) else "value" if curve.kind == "band" else curve.style
            pieces.append((f"{label}{self._write(value)} ", style))
        if pieces:
            text, style = pieces[-1]
            pieces[-1] = (text.rstrip(), style)
        return pieces

    def _value(self, curve: Curve) -> float | None:
        series = curve.series
        if self._cross is None:
            return series.last
        step = curve.step(self._cross)
        position = series.positions(step, step)[1] - 1
        ended = curve.letter and position >= 0 and step > series.x[-1]
        return series.y[position] if position >= 0 and not ended else None


def _next_value(curves: Sequence[Curve], here: float, by: float) -> float:
    """The place of the value, of any curve, that is nearest to `here + by` and lies on that side of `here`."""
    places: list[float] = []
    for curve in curves:
        at = curve.series.nearest(curve.step(here + by)) or 0
        places += map(curve.place, curve.series.x[max(at - 1, 0) : at + 2])
    return min((place for place in places if (place - here) * by > 0), key=lambda x: abs(x - here - by), default=here)
