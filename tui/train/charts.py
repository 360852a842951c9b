"""The charts of the live screen: which metrics and runs they show, over what, and how they are read by keys."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from textual import on, work
from textual.message import Message

from core.clean import clean_line
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.runs import RunInfo, list_runs
from core.units import count, duration, short_count
from tui.charts.plot import Curve
from tui.charts.xaxis import Along, StableEnd, XUnit, steps_axis
from tui.telling_names import telling_names
from tui.train.live_axes import AXES, along, next_axis, unit
from tui.train.live_run import LiveRun
from tui.train.panels import (
    PANELS_FROM,
    USUAL,
    Panels,
    from_zero,
    metrics_of,
    title_of,
    usual_panels,
    writer_of,
)
from tui.train.requests import TrainRequests
from tui.train.words import loss_words
from tui.widgets.chart import ZOOM, Chart
from tui.widgets.pick_menu import Choice, Picked, PickMenu

_CLOSE = 0.03
"""Part by which an estimate of the epochs in all may miss a half or a whole one, to be taken for it."""

OTHERS = 5
"""Runs that are overlaid at most."""

_OTHER_STYLES = ("third", "fourth", "fifth", "sixth", "seventh")


@dataclass
class Other:
    """A run that is overlaid: followed like the screen's own, by the same thread."""

    folder: Path
    letter: str
    name: str
    follower: Follower
    live: LiveRun = field(default_factory=LiveRun)
    over: bool = False


class TrainCharts(TrainRequests):
    """Draws the run's metrics in one large chart and in panels."""

    class OtherLooked(Message):
        """A look at the folder of an overlaid run is done."""

        def __init__(self, other: Other, update: Update) -> None:
            super().__init__()
            self.other = other
            self.update = update

    def __init__(self) -> None:
        super().__init__()
        self._others: list[Other] = []
        self._other_taken = threading.Event()
        self._run_names: dict[str, str] = {}
        self._pinned: Path | None = None
        self._axis = AXES[0]
        self._large = "loss"
        self._panels: list[str] | None = None
        self._names = 0
        self._along: Along | None = None
        self._end = StableEnd()

    @property
    def chart(self) -> Chart:
        """The large chart."""
        return self.query_one("#loss", Chart)

    # --- which curves

    def _open_run(self, folder: Path | None) -> None:
        """Another run: only the pinned one stays beside it."""
        super()._open_run(folder)
        self._others = [other for other in self._others if other.folder == self._pinned != folder]
        self._large, self._axis = "loss", AXES[0]

    def _curves_changed(self) -> None:
        """Bind the charts to the series of what is shown now."""
        run = self.shown
        self._names = len(run.names)
        self._end = StableEnd()
        self._along = along(run, self._axis)
        large = self.chart
        large.set_curves([*self._other_curves(), *self._curves_of(run, self._large, large=True)])
        self._panels_changed()

    def _panels_changed(self) -> None:
        """Fill the panels, as far as there is room for any; the large chart says of how many metrics these are."""
        filled = self.query_one(Panels).show(self._panel_metrics(), 1 if self.has_class("-log") else 2)
        for metric, chart in filled:
            chart.set_curves(self._curves_of(self.shown, metric, large=False))
            chart.share(self.chart)
        known, large = len(metrics_of(self.shown)), self._large
        note = f"{1 + len(filled)} of {known} metrics " if known > 1 else ""
        write = loss_words if large == "loss" else writer_of(large)
        self.chart.describe(title_of(large), write, from_zero=from_zero(large) and large not in USUAL, note=note)

    def _curves_of(self, run: LiveRun, metric: str, *, large: bool) -> list[Curve]:
        """The curves of one metric: single values as a band where they scatter, train and eval in one chart."""
        series, places = run.series(metric), self._along
        if metric == "loss":
            curves = [
                Curve("train", series, "band", "band", along=places),
                Curve("avg", run.average.series, "line", "first", along=places),
            ]
        elif large or metric == "grad_norm":
            curves = [
                Curve("", series, "band", "band", legend=False, along=places),
                Curve("", series, "line", "first", along=places),
            ]
        else:
            curves = [Curve("", series, "line", "first", along=places)]
        if f"eval_{metric}" in run.names or metric == "loss":
            curves.append(Curve("eval", run.series(f"eval_{metric}"), "marked", "second", along=places))
        return curves

    def _other_curves(self) -> Iterable[Curve]:
        """Overlaid runs, behind the screen's own."""
        metric = self._large
        for number, other in enumerate(self._others):
            live, places, style = other.live, along(other.live, self._axis), _OTHER_STYLES[number % len(_OTHER_STYLES)]
            series = live.average.series if metric == "loss" else live.series(metric)
            if other.folder == self._pinned and len(live.series(f"eval_{metric}")):
                evaluated = live.series(f"eval_{metric}")
                yield Curve("eval", evaluated, "marked", style, legend=False, letter=other.letter, along=places)
            pin = " (pinned)" if other.folder == self._pinned else ""
            yield Curve(f"{other.name}{pin}", series, "line", style, letter=other.letter, along=places)

    def _panel_metrics(self) -> list[str]:
        chosen = usual_panels(self.shown) if self._panels is None else self._panels
        return [metric for metric in chosen if metric != self._large]

    # --- what x counts

    def _axis_end(self) -> tuple[float | None, XUnit]:
        """Where the axis of the shown run ends, as far as that is known, and its unit."""
        run = self.shown
        step, of = run.progress()
        if self._along is None:
            return steps_axis(
                step, of, part=16 if self.session.low_bandwidth else 4
            )  # an axis that moves is sent whole
        newest = self._along.place(float("inf"))
        if run.update is not None and run.update.over:
            end = newest
        elif self._axis == "time":
            end = self._end.update(newest + (run.eta[0] if run.eta else 0.0))
        else:
            estimate = newest * of / step if step and of else newest
            halves = round(2 * estimate) / 2
            if self._axis == "epochs" and abs(estimate - halves) <= _CLOSE * halves:
                end = max(halves, newest)  # as recipes say it; a last step that is not full makes little difference
            else:
                end = self._end.update(estimate)
        return end, unit(self._axis, end)

    def _place(self, step: float) -> str:
        """A place on x in words: step, epoch, and what x counts."""
        run = self.shown
        words = f"step {count(round(step))}" if step < float("inf") else "later"
        epoch = run.at("epoch", step)
        if epoch is not None:
            words += f"  epoch {epoch:.2f}"
        if self._along is not None and step < float("inf") and self._axis != "epochs":
            place = self._along.place(step)
            words += f"  {duration(place)}" if self._axis == "time" else f"  {short_count(place)} tokens"
        return words

    def _draw_charts(self) -> None:
        """Draw all charts that are on the screen; each sends its changed cells only."""
        if len(self.shown.names) != self._names:
            self._curves_changed()
        end, counted = self._axis_end()
        for chart in (self.chart, *(() if self._calm else self.query_one(Panels).charts)):
            chart.set_end(end)
            if chart is self.chart and self._others and not chart.zoomed:
                end = chart.span()[1]  # an overlaid run may go further: panels lie on the same axis
            chart.set_unit(counted)
            if chart.display and chart.curves:
                chart.repaint()

    # --- overlaid runs

    def _follow_others(self, halt: threading.Event) -> bool:
        """Look at the overlaid runs, in the thread that follows; returns whether more waits to be read."""
        more = False
        for other in tuple(self._others):
            if not other.over:
                update = other.follower.poll(*self.AT_ONCE)
                other.over = update.over
                more = more or update.more
                self._other_taken.clear()
                self.post_message(self.OtherLooked(other, update))
                if update.more:
                    self._rest(self._other_taken, halt)
        return more

    @on(OtherLooked)
    def _other_looked(self, event: OtherLooked) -> None:
        self._other_taken.set()
        known = len(event.other.live.names)
        event.other.live.add(event.update)
        if event.other in self._others and len(event.other.live.names) != known:
            self._curves_changed()
        if not event.update.more:
            self._draw_charts()

    @work(thread=True, group="runs")
    def action_overlay(self) -> None:
        """Read the list of runs, then ask which of them are drawn as well."""
        found = list_runs(self.session.workspace)
        self._run_names = {str(run.folder): run.name for run in found}
        self.from_thread(self._ask_for_runs, [run for run in found if run.folder != self._folder])

    def _ask_for_runs(self, runs: list[RunInfo]) -> None:
        if not runs:
            self._answered("There is no other run in this workspace to lay over this one.")
            return
        choices = [Choice(str(run.folder), clean_line(run.id, 44), _run_words(run)) for run in runs]
        menu = PickMenu(
            "runs drawn over this one",
            choices,
            [str(other.folder) for other in self._others],
            noun="runs",
            most=OTHERS,
            pinned=str(self._pinned or ""),
        )
        self.app.push_screen(menu, self._take_runs)

    def _take_runs(self, picked: Picked | None) -> None:
        if picked is None:
            return
        known = {str(other.folder): other for other in self._others}
        names = telling_names([(self._run_names.get(key, ""), Path(key).name) for key in picked.keys])
        self._others = []
        for letter, key, name in zip("abcdefghij", picked.keys, names, strict=False):
            folder = Path(key)
            other = known.get(key) or Other(folder, "", "", Follower(JobFolder(folder), gpu_bytes=0, log_bytes=0))
            other.letter, other.name = letter, name
            self._others.append(other)
        self._pinned = Path(picked.pinned) if picked.pinned else None
        self._curves_changed()
        self._draw_charts()
        self._look_now()
        pinned = " The pinned one stays when another run is shown." if self._pinned else ""
        self._answered(f"{len(self._others)} overlaid.{pinned}" if self._others else "")

    # --- keys

    def _allowed_charts(self) -> dict[str, bool]:
        """Whether each key would do something now."""
        chart = self.chart if self._folder is not None and self.is_mounted else None
        drawn = chart is not None and not chart.empty_now
        return {
            "read": drawn,
            "zoom": drawn,
            "scale": drawn,
            "smooth": drawn and self._large == "loss",
            "pan": drawn and chart is not None and chart.zoomed,
            "whole": bool(self._asking) or (chart is not None and (chart.zoomed or chart.crosshair is not None)),
            "panels": drawn,
            "axis": drawn,
            "large": drawn,
            "overlay": self._folder is not None,
        }

    def _shared(self) -> None:
        """All charts show the same stretch, and are read at the same place."""
        for chart in self.query_one(Panels).charts:
            if chart.display:
                chart.share(self.chart)
        self.refresh_bindings()

    def action_panels(self) -> None:
        """Choose the metrics that have a panel."""
        metrics = [metric for metric in metrics_of(self.shown) if metric != "loss"]
        choices = [Choice(metric, title_of(metric), self._newest_words(metric)) for metric in metrics]
        shown = usual_panels(self.shown) if self._panels is None else self._panels
        title, fate = "panels", "shown"
        if not self.query_one(Panels).display:
            title, fate = f"b brings these to the chart; panels need {PANELS_FROM}", "in turn"
        self.app.push_screen(PickMenu(title, choices, shown, noun="metrics", fate=fate), self._take_panels)

    def _newest_words(self, metric: str) -> str:
        last = self.shown.last(metric)
        return writer_of(metric)(last) if last is not None else ""

    def _take_panels(self, picked: Picked | None) -> None:
        """Show what was picked just now first: where there is no panel for it, in the large chart."""
        if picked is None:
            return
        before = usual_panels(self.shown) if self._panels is None else self._panels
        new = [metric for metric in picked.keys if metric not in before]
        self._panels = [*new, *(metric for metric in picked.keys if metric in before)]
        panels = self.query_one(Panels)
        if not panels.display:
            self._large = new[0] if new else self._large if self._large in self._panels else "loss"
        self._curves_changed()
        self._draw_charts()
        self.refresh_bindings()
        shown = sum(chart.display for chart in panels.charts) if panels.display else 0
        without = len(self._panel_metrics()) - shown
        self._answered(
            f"{count(without)} of them have no panel here: b shows each in the large chart." if without else ""
        )

    def action_large(self) -> None:
        """Give the large chart to the next metric: the loss, then those with a panel."""
        chosen = usual_panels(self.shown) if self._panels is None else self._panels
        turn = ["loss", *chosen]
        at = turn.index(self._large) if self._large in turn else -1
        self._large = turn[(at + 1) % len(turn)]
        self._curves_changed()
        self._draw_charts()
        self.refresh_bindings()

    def action_axis(self) -> None:
        """Let x count the next of steps, epochs, tokens and time."""
        self._axis = next_axis(self._axis, self.shown)
        self._curves_changed()
        self._draw_charts()
        self.refresh_bindings()

    def action_read(self, cells: int) -> None:
        """Move the reading line."""
        self.chart.move_crosshair(cells)
        self._shared()

    def action_zoom(self, closer: bool) -> None:
        """Show fewer or more steps."""
        self.chart.zoom(ZOOM if closer else 1 / ZOOM)
        self._shared()

    def action_pan(self, direction: int) -> None:
        """Move the steps that are shown."""
        self.chart.pan(direction / 2)
        self._shared()

    def action_whole(self) -> None:
        """Back to the whole run; a question is taken as answered with no."""
        if self._asking:
            self.action_answer(False)
            return
        self.chart.show_all()
        self._shared()

    def action_scale(self) -> None:
        """Logarithmic or linear."""
        if not self.chart.toggle_log():
            self._answered("A logarithmic axis needs a positive value.")

    def action_smooth(self) -> None:
        """The next amount of smoothing."""
        said = self.live.next_smoothing()
        for other in self._others:
            other.live.smooth_as(said)
        self._answered(f"Smoothing: {said}.")
        self._draw_charts()


def _run_words(run: RunInfo) -> str:
    loss = "" if run.eval_loss is None else f"  eval {loss_words(run.eval_loss).strip()}"
    return f"{run.state}{loss}"
