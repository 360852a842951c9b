"""Compare: two to six runs, their curves overlaid, beside their results and the fields that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from textual import events, on, work
from textual.containers import Container
from textual.widget import Widget
from textual.worker import get_current_worker

from core.clean import clean_line
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.recipe.differences import differences
from core.units import count, duration, gib, short_count, significant
from core.verdict.run_list import RunLine
from tui.actions import Command, declare
from tui.charts.plot import Curve
from tui.live.axes import AXES, along, next_axis, unit
from tui.live.metrics import title_of, writer_of
from tui.live.run import LiveRun
from tui.runs.rows import verdict_word
from tui.screens.base import StepScreen
from tui.telling_names import telling_names
from tui.widgets.chart import Chart
from tui.widgets.table import Table, TableCell, TableColumn
from tui.widgets.text_lines import TextLines

LETTERS = "ABCDEF"
_STYLES = ("first", "second", "third", "fourth", "fifth", "sixth")
_SLICE = 0.05


class CompareScreen(StepScreen):
    """The question: which of these was better, and what made the difference?"""

    STEP = "runs"
    SCOPE = "compare"
    CSS_PATH = "compare.tcss"
    BINDINGS = declare(
        "compare",
        Command("compare.next_metric", "m", "metric(1)", "metric", "Next metric that any of the runs has logged.", 1),
        Command("compare.previous_metric", "M", "metric(-1)", "", "Previous metric."),
        Command(
            "compare.cursor_left",
            "left",
            "read(-1)",
            "cursor",
            "Move the cursor on the chart left.",
            2,
            "←→",
        ),
        Command("compare.cursor_right", "right", "read(1)", "", "Move the cursor on the chart right.", aside=True),
        Command("compare.zoom_in", "z,equals_sign", "zoom(0.5)", "zoom in", "Zoom in.", 4, "z"),
        Command("compare.zoom_out", "Z,minus", "zoom(2.0)", "", "Zoom out.", 0, "-"),
        Command("compare.pan_left", "comma", "pan(-0.5)", "", "Scroll left when zoomed in.", 0, ","),
        Command("compare.pan_right", "full_stop", "pan(0.5)", "", "Scroll right when zoomed in.", 0, "."),
        Command("compare.reset_zoom", "0", "whole", "reset zoom", "Reset zoom and hide the cursor.", 6),
        Command("compare.next_x_axis", "x", "axis", "x axis", "X axis: steps, epochs, tokens or time.", 4),
        Command(
            "compare.toggle_log_scale",
            "L",
            "scale",
            "log scale",
            "Switch the y axis between logarithmic and linear.",
            5,
        ),
        Command("compare.back", "escape", "back", "back", "Go back to the list of runs.", 3, "esc", shared="back"),
    )

    def __init__(self, lines: Sequence[RunLine]) -> None:
        """Make the screen.

        Args:
            lines: the runs, two to six.
        """
        super().__init__()
        self._lines = list(lines)
        self._names = telling_names([(line.info.name, line.info.id) for line in lines])
        self._live = [LiveRun(line.headline) for line in lines]
        self._titles = {
            metric: title
            for line in lines
            for metric, title in (
                (line.headline.metric, line.headline.train_title),
                (line.headline.eval_metric, line.headline.eval_title),
            )
        }
        """The metrics that come first; all others follow, in the order in which the runs logged them."""
        self._metric, self._axis = lines[0].headline.metric, AXES[0]
        self._rows: list[tuple[str, tuple[str, ...]]] = _results(self._lines)

    def compose_body(self) -> Iterable[Widget]:
        """Curves; results and differing fields; the row under the cursor in full."""
        yield Chart("", [], id="curves", write_x=self._place)
        with Container(id="fields"):
            yield Table(self._columns(80), self._cells, id="rows")
        yield TextLines(id="whole")

    def on_mount(self) -> None:
        """Read the runs."""
        self.query_one("#fields").border_title = "results and recipe differences"
        self.query_one(Table).focus()
        self._draw_curves()
        self.query_one(Table).show(len(self._rows), 0)
        self._show_whole()
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        """Columns as wide as there is room for."""
        super().on_resize(event)
        width = event.size.width // 2 if self.has_class("-wide") else event.size.width
        self.query_one(Table).set_columns(self._columns(width))

    def _columns(self, width: int) -> list[TableColumn]:
        least = 8 if width >= 80 else 6  # below, the line under the table has the values uncut
        each = max(least, min(22, (width - 38) // len(self._lines) - 1))
        return [
            TableColumn("field"),
            *(TableColumn(f"{letter} {self._names[n]}", each) for n, letter in self._lettered()),
        ]

    def _lettered(self) -> list[tuple[int, str]]:
        return list(enumerate(LETTERS[: len(self._lines)]))

    # --- reading

    @work(thread=True, exclusive=True, group="compare")
    def _read(self) -> None:
        worker = get_current_worker()
        rows = _results(self._lines) + [(found.path, found.values) for found in differences(self._recipes())]
        self.from_thread(self._take_rows, rows)
        for number, line in enumerate(self._lines):
            follower = Follower(JobFolder(line.info.folder), gpu_bytes=0, log_bytes=0)
            more = True
            while more and not worker.is_cancelled:
                update = follower.poll(max_seconds=_SLICE)
                more = update.more
                self.from_thread(self._take, number, update)

    def _recipes(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for line in self._lines:
            try:
                payload = JobFolder(Path(line.info.folder)).read_job().get("payload")
            except BadInput:
                payload = None
            recipe = payload.get("recipe") if isinstance(payload, dict) else None
            found.append(recipe if isinstance(recipe, dict) else {})
        return found

    def _take_rows(self, rows: list[tuple[str, tuple[str, ...]]]) -> None:
        self._rows = rows
        table = self.query_one(Table)
        table.show(len(rows), table.cursor)
        self._show_whole()

    def _take(self, number: int, update: Update) -> None:
        self._live[number].add(update)
        self._set_end()
        self.query_one(Chart).repaint()
        self.refresh_bindings()

    # --- drawing

    def _draw_curves(self) -> None:
        curves = []
        for number, letter in self._lettered():
            live = self._live[number]
            series = live.to_be_drawn(self._metric)
            kind = "marked" if self._metric.startswith("eval_") else "line"
            places = along(live, self._axis)
            curves.append(Curve(self._names[number], series, kind, _STYLES[number], letter=letter, along=places))  # type: ignore[arg-type]
        chart = self.query_one(Chart)
        title = self._titles.get(self._metric) or title_of(self._metric)
        chart.describe(title, writer_of(self._metric), from_zero=False)
        chart.set_curves(curves)
        self._set_end()
        chart.repaint()

    def _place(self, step: float) -> str:
        """The place of the cursor on the chart; unless x is steps, the runs have different steps there."""
        place = self.query_one(Chart).crosshair or 0.0
        if self._axis == "time":
            return duration(place)
        if self._axis == "tokens":
            return f"{short_count(place)} tokens"
        return f"epoch {place:.2f}" if self._axis == "epochs" else f"step {count(round(place))}"

    def _set_end(self) -> None:
        """The axis ends where the run that went furthest does."""
        chart = self.query_one(Chart)
        drawn = [curve for curve in chart.curves if len(curve.series)]
        end = max((curve.place(curve.series.x[-1]) for curve in drawn), default=0.0)
        chart.set_end(end)
        chart.set_unit(unit(self._axis, end))

    def _cells(self, row: int) -> list[TableCell]:
        title, values = self._rows[row]
        return [(title, "muted"), *((clean_line(value, 200) or "-", "text") for value in values)]

    @on(Table.Highlighted)
    def _show_whole(self) -> None:
        """The values of the row under the cursor, uncut."""
        title, values = self._rows[self.query_one(Table).cursor]
        values_text = "   ".join(f"{letter} {clean_line(values[n], 120) or '-'}" for n, letter in self._lettered())
        self.query_one("#whole", TextLines).show([[(f"{title}  ", "muted"), (values_text, "text")]])

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The cursor and the axes need curves."""
        chart = self.query_one(Chart) if self.is_mounted else None
        if action in ("read", "zoom", "scale", "axis"):
            return chart is not None and not chart.empty_now
        if action in ("pan", "whole"):
            crossed = chart is not None and chart.crosshair is not None and action == "whole"
            return crossed or (chart is not None and chart.zoomed)
        return True

    def action_metric(self, by: int) -> None:
        """The next metric that any of them has logged, or the one before."""
        logged = {**dict.fromkeys(self._titles), **dict.fromkeys(name for live in self._live for name in live.names)}
        names = [name for name in logged if any(len(live.series(name)) for live in self._live)]
        names = names or [self._lines[0].headline.metric]
        self._metric = names[(names.index(self._metric) + by) % len(names)] if self._metric in names else names[0]
        self._draw_curves()
        self.refresh_bindings()

    def action_axis(self) -> None:
        """Change the x axis to the next of steps, epochs, tokens and time."""
        self._axis = next_axis(self._axis, *self._live)
        self._draw_curves()
        self.refresh_bindings()

    def action_pan(self, part: float) -> None:
        """Move the steps that are shown."""
        self.query_one(Chart).pan(part)

    def action_whole(self) -> None:
        """The whole runs again."""
        self.query_one(Chart).show_all()
        self.refresh_bindings()

    def action_read(self, by: int) -> None:
        """Move the crosshair."""
        self.query_one(Chart).move_crosshair(by)
        self.refresh_bindings()

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more steps."""
        self.query_one(Chart).zoom(factor)
        self.refresh_bindings()

    def action_scale(self) -> None:
        """Logarithmic or linear."""
        self.query_one(Chart).toggle_log()

    def action_back(self) -> None:
        """The list of runs."""
        self.dismiss()


def _results(lines: Sequence[RunLine]) -> list[tuple[str, tuple[str, ...]]]:
    """The results of the runs, one fact a row."""
    return [
        ("state", tuple(line.info.state for line in lines)),
        ("verdict", tuple(map(verdict_word, lines))),
        ("best eval", tuple("" if line.best_eval is None else significant(line.best_eval, 4) for line in lines)),
        ("at step", tuple("" if line.best_step is None else str(line.best_step) for line in lines)),
        ("duration", tuple("" if line.seconds is None else duration(line.seconds) for line in lines)),
        ("memory", tuple(gib(line.memory) if line.memory else "" for line in lines)),
    ]
