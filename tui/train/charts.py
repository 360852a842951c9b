"""The charts of the live screen: which metrics and runs they show, over which x axis, and the keys that read them."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.message import Message
from textual.widget import Widget

from core.jobs.follow import Update
from core.jobs.runs import RunInfo, list_runs
from core.recipe.tasks import Headline
from core.units import count
from tui.actions import Command
from tui.charts.plot import Curve
from tui.live.axes import RunAxis, next_axis
from tui.live.metrics import USUAL, from_zero, headline_words, metrics_of, title_of, usual_panels, writer_of
from tui.live.run import LiveRun
from tui.screens.pane import Pane
from tui.train import words as train_words
from tui.train.messages import Overlaid, RequestNotice
from tui.train.overlays import Overlays
from tui.train.run import RunModel, RunSource
from tui.widgets.chart import ZOOM, Chart
from tui.widgets.pick_menu import MenuItem, Picked, PickMenu

MOST = 6
"""Panels that are shown at once; the large chart takes any further one."""

PANELS_FROM = "110 columns and 36 rows"
"""The terminal's size from which there are any: the classes `-wide` and `-tall` of the screens."""

ROWS_ALONE, ROWS = 9, 7
"""Rows of a panel where there is room to spare, and where there is not."""


class Panels(Container):
    """Small charts in up to two rows of three."""

    DEFAULT_CSS = """
    Panels { layout: grid; grid-size: 3; grid-gutter: 0; }
    Panels > Chart { height: 100%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._height = 0
        self._charts: list[Chart] = []

    @property
    def charts(self) -> list[Chart]:
        """The charts that were made so far, those that are hidden now among them."""
        return self._charts

    def show(self, metrics: Sequence[str], rows: int = 2) -> list[tuple[str, Chart]]:
        """Give each of the first metrics a panel; returns which has which. Without room for panels there is none.

        Args:
            metrics: what is to be shown, the most wanted first.
            rows: rows of panels for which there is room.
        """
        given = list(metrics[: min(MOST, 3 * rows)]) if self.display else []
        new = [
            Chart("", [], empty="") for _ in range(len(given) - len(self._charts))
        ]  # a start without panels pays for none
        if new:
            self._charts += new
            self.mount_all(new)
        for number, chart in enumerate(self._charts):
            chart.display = number < len(given)
        for metric, chart in zip(given, self._charts, strict=False):
            chart.describe(title_of(metric), writer_of(metric), from_zero=from_zero(metric))
        taken = -(-len(given) // 3)
        height = taken * (ROWS_ALONE if rows > taken else ROWS)
        if height != self._height:
            self._height = height
            self.styles.height = height
            self.styles.grid_size_rows = max(1, taken)
        return list(zip(given, self._charts, strict=False))


class ChartsPane(Pane):
    """Draws the run's metrics in one large chart and in panels; posts `Overlaid` and `RequestNotice`."""

    NAME = "charts"
    COMMANDS = (
        Command(
            "train.cursor_left",
            "left",
            "read(-1)",
            "cursor",
            "Show the cursor and move it left: the values at its step are in the frame.",
            5,
            "←→",
        ),
        Command("train.cursor_right", "right", "read(1)", "", "Show the cursor and move it right."),
        Command("train.cursor_far_left", "ctrl+left", "read(-10)", "", "Move the cursor ten cells left."),
        Command("train.cursor_far_right", "ctrl+right", "read(10)", "", "Move the cursor ten cells right."),
        Command("train.choose_panels", "plus", "panels", "panels", "Choose which metrics have a panel.", 6, "+"),
        Command(
            "train.choose_overlays", "v", "overlay", "overlay", "Draw other runs over this one; one can stay pinned.", 7
        ),
        Command("train.next_metric", "b", "large", "metric", "Show the next metric in the large chart.", 8),
        Command("train.next_x_axis", "x", "axis", "x axis", "X axis: steps, epochs, tokens, time.", 9),
        Command("train.zoom_in", "z,equals_sign", "zoom(True)", "zoom in", "Zoom in.", 10, "z"),
        Command("train.zoom_out", "Z,minus", "zoom(False)", "", "Zoom out.", 0, "-"),
        Command("train.pan_left", "comma", "pan(-1)", "", "When zoomed in: scroll to earlier steps.", 0, ","),
        Command("train.pan_right", "full_stop", "pan(1)", "", "When zoomed in: scroll to later steps.", 0, "."),
        Command(
            "train.toggle_log_scale", "L", "scale", "log scale", "Switch between a logarithmic and a linear y axis.", 11
        ),
        Command("train.next_smoothing", "m", "smooth", "smoothing", "Smoothing: off, normal, strong.", 12),
    )

    class Listed(Message):
        """The other runs of the workspace were read: they can be chosen from."""

        def __init__(self, runs: list[RunInfo]) -> None:
            super().__init__()
            self.runs = runs

    def __init__(self, run: RunModel, beside: Widget) -> None:
        """Make the pane.

        Args:
            run: what is known of the run.
            beside: stands at the right of the large chart.
        """
        super().__init__()
        self.chart = Chart("", [], id="headline", write=headline_words, write_x=self._place)
        self.panels = Panels(id="small")
        self.overlays = Overlays()
        self._run = run
        self._beside = beside
        self._axis = RunAxis()
        self._picked: str | None = None
        """The metric that the user gave the large chart."""
        self._chosen: list[str] | None = None
        """The metrics that the user gave a panel."""
        self._rows = 2
        self._bound: LiveRun | None = None
        """What the charts have the curves of, with so many metrics, judged by:"""
        self._known: tuple[int, Headline | None, bool] = 0, None, False
        self._rested = False

    def compose(self) -> ComposeResult:
        """The large chart and what stands beside it; the panels below."""
        with Horizontal(id="top"):
            yield self.chart
            yield self._beside
        yield self.panels

    # -- which curves ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another run is shown: its headline metric over steps."""
        self.overlays.begin(self._run.folder)
        self._picked, self._axis.name = None, "steps"
        self._bind()

    def take_overlaid(self, source: RunSource, update: Update) -> None:
        """Take in what was read of an overlaid run."""
        if self.overlays.take(source, update):
            self._bind()
        if not update.more:
            self.draw()

    def fit(self, *, panels: bool, rows: int) -> None:
        """Fill the panels, as far as there is room for any.

        Args:
            panels: whether there is.
            rows: rows of them for which there is room.
        """
        self.panels.display, self._rows = panels, rows
        if self._run.folder is not None:
            self._fill()

    @property
    def _headline(self) -> str:
        return self._run.shown.headline.metric

    @property
    def _large(self) -> str:
        """The metric in the large chart."""
        return self._picked or self._headline

    @property
    def _metrics(self) -> list[str]:
        """The metrics that have panels, or would have them; none where the run has ended without any."""
        run = self._run.shown
        if not run.names and run.update is not None and run.update.over:
            return []
        return usual_panels(run) if self._chosen is None else self._chosen

    @property
    def _panel_metrics(self) -> list[str]:
        return [metric for metric in self._metrics if metric != self._large]

    def _bind(self) -> None:
        """Bind the charts to the series of what is shown now."""
        run = self._bound = self._run.shown
        self._known = self._drawn_of(run)
        self._axis.bind(run)
        others = self.overlays.curves(self._large, self._axis.name)
        self.chart.set_curves([*others, *self._curves(run, self._large, large=True)])
        self._fill()

    @staticmethod
    def _drawn_of(run: LiveRun) -> tuple[int, Headline | None, bool]:
        """What decides which charts and curves there are."""
        return len(run.names), run.headline, run.update is not None and run.update.over

    def _fill(self) -> None:
        """Fill the panels; the large chart says of how many metrics these are."""
        run, large, main = self._run.shown, self._large, self._large == self._headline
        filled = self.panels.show(self._panel_metrics, self._rows)
        for metric, chart in filled:
            chart.set_curves(self._curves(run, metric, large=False))
            chart.share(self.chart)
        known = len(metrics_of(run))
        note = f"{1 + len(filled)} of {known} metrics " if known > 1 else ""
        write = headline_words if main else writer_of(large)
        title = run.headline.title if main else title_of(large)
        self.chart.describe(title, write, from_zero=from_zero(large) and large not in USUAL, note=note)

    def _curves(self, run: LiveRun, metric: str, *, large: bool) -> list[Curve]:
        """The curves of one metric: single values as a band where they scatter, train and eval in one chart."""
        series, places = run.series(metric), self._axis.along
        main = metric == run.headline.metric
        if main and run.mean_of == 1:
            curves = [Curve("train", series, "line", "first", along=places)]
        elif main:
            name = "mean" if run.partial else f"mean of {run.mean_of}"  # of a first look at a long run, of fewer
            curves = [
                Curve("train", series, "band", "band", along=places),
                Curve(name, run.average.series, "line", "first", along=places),
            ]
        elif large or metric == "grad_norm":
            curves = [
                Curve("", series, "band", "band", legend=False, along=places),
                Curve("", series, "line", "first", along=places),
            ]
        else:
            curves = [Curve("", series, "line", "first", along=places)]
        if f"eval_{metric}" in run.names or main:
            curves.append(Curve("eval", run.series(f"eval_{metric}"), "marked", "second", along=places))
        return curves

    # -- drawing --------------------------------------------------------------------------------------------

    def draw(self, *, steady: bool = False) -> None:
        """Draw all charts that are on the screen; each sends its changed cells only.

        Args:
            steady: whether this is one look of many at a running run: then the panels wait for every other one.
        """
        run = self._run.shown
        self.chart.empty = train_words.chart_words(run)
        if run is not self._bound or self._drawn_of(run) != self._known:
            self._bind()
        calm = self._rested = steady and not self._rested
        end, unit = self._axis.end(run, 16 if self.session.low_bandwidth else 4)  # an axis that moves is sent whole
        for chart in (self.chart, *(() if calm else self.panels.charts)):
            chart.set_end(end)
            if chart is self.chart and self.overlays.runs and not chart.zoomed:
                end = chart.span()[1]  # an overlaid run may be longer: panels lie on the same axis
            chart.set_unit(unit)
            if chart.display and chart.curves:
                chart.repaint()

    def _place(self, step: float) -> str:
        return self._axis.words(self._run.shown, step)

    def _changed(self) -> None:
        """Other curves are drawn from now on."""
        self._bind()
        self.draw()
        self.screen.refresh_bindings()

    def _moved(self) -> None:
        """All charts show the same stretch, and are read at the same place."""
        for chart in self.panels.charts:
            if chart.display:
                chart.share(self.chart)
        self.screen.refresh_bindings()

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Reading off curves needs curves."""
        if self._run.folder is None:
            return False
        if action == "pan":
            return self.chart.zoomed
        drawn = action == "overlay" or not self.chart.empty_now
        return drawn and (action != "smooth" or self._large == self._headline)

    @property
    def narrowed(self) -> bool:
        """Whether `show_all` changes anything."""
        return self.chart.zoomed or self.chart.crosshair is not None

    def show_all(self) -> None:
        """Reset the zoom and hide the cursor."""
        self.chart.show_all()
        self._moved()

    def action_read(self, cells: int) -> None:
        """Move the cursor."""
        self.chart.move_crosshair(cells)
        self._moved()

    def action_zoom(self, closer: bool) -> None:
        """Zoom in or out."""
        self.chart.zoom(ZOOM if closer else 1 / ZOOM)
        self._moved()

    def action_pan(self, direction: int) -> None:
        """Move the steps that are shown."""
        self.chart.pan(direction / 2)
        self._moved()

    def action_scale(self) -> None:
        """Logarithmic or linear."""
        if not self.chart.toggle_log():
            self.post_message(RequestNotice("A log scale needs at least one value above 0."))

    def action_smooth(self) -> None:
        """The next amount of smoothing."""
        smoothing = self._run.live.next_smoothing()
        self.overlays.smooth_as(smoothing)
        number = self._run.live.mean_of
        words = "every logged value" if number == 1 else f"the mean of the last {number} logged values"
        self.post_message(RequestNotice(f"Smoothing {smoothing}: {words}."))
        others = self.overlays.curves(self._large, self._axis.name)
        self.chart.set_other_curves([*others, *self._curves(self._run.shown, self._large, large=True)])
        self.draw()

    def action_axis(self) -> None:
        """The next x axis of steps, epochs, tokens and time."""
        self._axis.name = next_axis(self._axis.name, self._run.shown)
        self._changed()

    def action_large(self) -> None:
        """Give the large chart to the next metric: the headline, then those with a panel."""
        turn = [self._headline, *self._metrics]
        at = turn.index(self._large) if self._large in turn else -1
        self._picked = turn[(at + 1) % len(turn)]
        self._changed()

    def action_panels(self) -> None:
        """Choose the metrics that have a panel."""
        metrics = [metric for metric in metrics_of(self._run.shown) if metric != self._headline]
        choices = [MenuItem(metric, title_of(metric), self._newest(metric)) for metric in metrics]
        title, fate = "panels", "shown"
        if not self.panels.display:
            title, fate = f"in the chart (b); panels need {PANELS_FROM}", "in turn"
        self.app.push_screen(PickMenu(title, choices, self._metrics, noun="metrics", fate=fate), self._choose)

    def _newest(self, metric: str) -> str:
        last = self._run.shown.last(metric)
        return writer_of(metric)(last) if last is not None else ""

    def _choose(self, picked: Picked | None) -> None:
        if picked is not None:
            self.choose_panels(picked.keys)

    def choose_panels(self, metrics: Sequence[str]) -> None:
        """Show those that have no panel yet first: where there is no room for panels, in the large chart."""
        before = self._metrics
        new = [metric for metric in metrics if metric not in before]
        self._chosen = [*new, *(metric for metric in metrics if metric in before)]
        if not self.panels.display:
            self._picked = new[0] if new else self._large if self._large in self._chosen else None
        self._changed()
        shown = sum(chart.display for chart in self.panels.charts) if self.panels.display else 0
        without = len(self._panel_metrics) - shown
        words = (
            f"{count(without)} of them have no panel at this size; b shows them in the large chart." if without else ""
        )
        self.post_message(RequestNotice(words))

    @work(thread=True, group="runs")
    def action_overlay(self) -> None:
        """Read the list of runs, then ask which of them are drawn as well."""
        self.post_message(self.Listed(list_runs(self.session.workspace)))

    @on(Listed)
    def _ask_for_overlays(self, event: Listed) -> None:
        others = [run for run in event.runs if run.folder != self._run.folder]
        if others:
            self.app.push_screen(self.overlays.menu(others), self._overlay)
        else:
            self.post_message(RequestNotice("No other runs in this workspace to draw over this one."))

    def _overlay(self, picked: Picked | None) -> None:
        if picked is not None:
            self.overlay(picked)

    def overlay(self, picked: Picked) -> None:
        """Overlay the runs that were picked."""
        self.overlays.choose(picked)
        self.overlays.smooth_as(self._run.live.smoothing)
        self._bind()
        self.draw()
        self.post_message(Overlaid())
        self.post_message(RequestNotice(self.overlays.words))
