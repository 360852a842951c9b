"""Train: is it going well, and will it end well? A run as it goes, or as it went."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from core.errors import TunedeckError
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.units import count, short_count
from core.verdict import Verdict
from core.verdict.run import RunJudge
from tui import train_words
from tui.actions import Command, declare
from tui.charts.plot import Curve
from tui.live_run import LiveRun
from tui.screens.base import StepScreen
from tui.widgets.chart import ZOOM, Chart
from tui.widgets.facts import Facts
from tui.widgets.gauge import Gauges
from tui.widgets.log_view import LogView
from tui.widgets.text_lines import TextLines

if TYPE_CHECKING:
    from core.recipe.resume import Plan

LOOK_EVERY = 1.0
"""Seconds between two looks at the run's folder, once everything in it has been read."""

CATCH_UP = 0.01
"""Seconds between them while there is more to read, so that keys are answered in between."""

AT_ONCE = (20_000, 0.1)
"""Records, and seconds, that one look may take at most."""

DRAW_EVERY = 0.25
"""Seconds between two drawings while there is more to read."""

_NOTHING = """No run is shown here yet.

2 Recipe: say what to train and how; F5 there starts it.
6 Runs: choose one of the runs so far."""


class TrainScreen(StepScreen):
    """The live screen of one run."""

    STEP = "train"
    CSS_PATH = "train.tcss"
    BINDINGS = declare(
        "train",
        Command("train.stop", "s", "ask_stop", "stop and save", "Stop the run: it saves, then ends. Asks first.", 2),
        Command("train.yes", "y", "answer(True)", "yes", "Yes: stop and save, after s; go on, after r.", 1),
        Command("train.no", "n", "answer(False)", "no", "No: leave the run as it is, after s and r.", 1),
        Command("train.resume", "r", "ask_resume", "resume", "Go on from the last checkpoint. Asks first.", 2),
        Command("train.pause", "p", "pause", "pause", "Hold still at the next step; again: go on.", 3),
        Command("train.save", "c", "save", "checkpoint", "Save a checkpoint now; the run goes on.", 3),
        Command("train.log", "l", "log", "log", "Show or hide the log.", 4),
        Command("train.left", "left", "read(-1)", "read values", "Read values off the curves, further left.", 5, "←→"),
        Command("train.right", "right", "read(1)", "", "Read values off the curves, further right."),
        Command("train.far_left", "ctrl+left", "read(-10)", "", "Ten cells to the left."),
        Command("train.far_right", "ctrl+right", "read(10)", "", "Ten cells to the right."),
        Command("train.zoom_in", "plus,equals_sign", "zoom(True)", "zoom", "Show fewer steps.", 6, "+-"),
        Command("train.zoom_out", "minus", "zoom(False)", "", "Show more steps.", 0, "-"),
        Command("train.pan_left", "comma", "pan(-1)", "", "Move to earlier steps, when zoomed in.", 0, ","),
        Command("train.pan_right", "full_stop", "pan(1)", "", "Move to later steps, when zoomed in.", 0, "."),
        Command(
            "train.whole", "escape,0", "whole", "whole run", "The whole run again, without the reading line.", 7, "esc"
        ),
        Command("train.scale", "g", "scale", "log scale", "Logarithmic or linear loss axis.", 8),
        Command("train.smooth", "m", "smooth", "smoothing", "Average the loss normally, strongly, not at all.", 9),
    )

    class Looked(Message):
        """A look at the run's folder is done."""

        def __init__(self, folder: Path, update: Update, verdict: Verdict | None) -> None:
            super().__init__()
            self.folder = folder
            self.update = update
            self.verdict = verdict

    class Asked(Message):
        """A request was put to the run, or could not be; `said` tells."""

        def __init__(self, said: str) -> None:
            super().__init__()
            self.said = said

    def __init__(self) -> None:
        """Make the screen; what it shows is read when it is shown."""
        super().__init__()
        self.live = LiveRun()
        self._folder: Path | None = None
        self._follower: Follower | None = None
        self._judge: RunJudge | None = None
        self._verdict: Verdict | None = None
        self._halt = threading.Event()
        self._asking = False
        self._plan: Plan | None = None
        self._said = ""
        self._drawn = 0.0

    # --- the widgets

    def compose_body(self) -> Iterable[Widget]:
        """Charts and devices, facts, state, events, log; or a word on what to do without a run."""
        yield Static(_NOTHING, id="nothing", markup=False)
        with Vertical(id="live"):
            with Horizontal(id="top"):
                yield Chart("loss", [], id="loss", write=train_words.loss_words, write_x=self._place)
                yield Gauges(panel=True, id="panel")
            with Horizontal(id="small"):
                yield Chart("learning rate", [], id="rate", write=train_words.rate_words)
                yield Chart("gradient norm", [], id="norm", from_zero=True)
                yield Chart("tokens/s", [], id="speed", from_zero=True, write=lambda value: short_count(value))
            yield Gauges(id="lines")
            yield Facts(id="facts")
            yield TextLines(id="verdict")
            yield TextLines(id="state")
            yield TextLines(id="events", wrap=False)
            yield LogView(id="log")

    def on_resize(self, event: events.Resize) -> None:
        """Few rows leave one for events."""
        super().on_resize(event)
        self.set_class(event.size.height < 24, "-short")
        if self._folder is not None:
            self._show()

    def _place(self, step: float) -> str:
        epoch = self.live.at("epoch", step)
        return f"step {count(round(step))}" + (f"  epoch {epoch:.2f}" if epoch is not None else "")

    def _open_run(self, folder: Path | None) -> None:
        """Show another run, from its beginning."""
        self._folder = folder
        self._follower = Follower(JobFolder(folder)) if folder is not None else None
        self._judge = RunJudge(JobFolder(folder)) if folder is not None else None
        self._verdict = None
        self.live = live = LiveRun()
        self._asking, self._said = False, ""
        self.set_class(folder is None, "-nothing")
        self.remove_class("-log")
        self.query_one("#loss", Chart).set_curves(
            [
                Curve("train", live.loss, "band", "band"),
                Curve("avg", live.average.series, "line", "first"),
                Curve("eval", live.series("eval_loss"), "marked", "second"),
            ]
        )
        norm = live.series("grad_norm")
        self.query_one("#norm", Chart).set_curves(
            [Curve("", norm, "band", "band", legend=False), Curve("", norm, "line", "first")]
        )
        for id_, key in (("#rate", "learning_rate"), ("#speed", "tokens_per_second")):
            self.query_one(id_, Chart).set_curves([Curve("", live.series(key), "line", "first")])
        self.query_one(LogView).clear()
        self.query_one(Facts).forget_widths()
        if folder is not None:
            self._show()

    # --- following

    def on_screen_resume(self) -> None:
        """Follow the session's run while the screen is on."""
        super().on_screen_resume()
        if self.session.run != self._folder or self._folder is None:
            self._open_run(self.session.run)
        self._halt.set()
        self._halt = threading.Event()
        self._follow(self._halt)
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Nobody looks: read nothing."""
        self._halt.set()

    def on_unmount(self) -> None:
        """The thread must not outlive the screen."""
        self._halt.set()

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self, halt: threading.Event) -> None:
        """Look at the run's folder again and again, in a thread: it may lie on a slow network disk."""
        while not halt.is_set():
            follower, judge, folder = self._follower, self._judge, self._folder
            if follower is None or judge is None or folder is None:
                return
            update = follower.poll(*AT_ONCE)
            verdict = judge.take(update)
            if halt.is_set() or folder != self._folder:
                return
            self.post_message(self.Looked(folder, update, verdict))
            halt.wait(CATCH_UP if update.more else LOOK_EVERY)

    @on(Looked)
    def _looked(self, event: Looked) -> None:
        """Take in what is new and draw what changed."""
        if event.folder != self._folder:
            return
        if self.session.run != self._folder:
            self.on_screen_resume()
            return
        before = self.live.update
        self.live.add(event.update)
        self._verdict = event.verdict
        log = self.query_one(LogView)
        if "output.log" in event.update.restarted:
            log.clear()
        log.extend(event.update.log)
        if event.update.state == "failed" and (before is None or before.state != "failed"):
            self.add_class("-log")
        if before is None or before.state != event.update.state:
            self._asking = False
            self.refresh_bindings()
        now = time.monotonic()
        if not event.update.more or now - self._drawn >= DRAW_EVERY:
            self._drawn = now
            self._show()

    def _show(self) -> None:
        """Draw what was read so far; each widget sends its changed cells only."""
        live = self.live
        _, of = live.progress()
        loss = self.query_one("#loss", Chart)
        loss.set_curve_series(1, live.average.series)
        for chart in self.query(Chart):
            chart.set_end(of)
            if chart.display:
                chart.repaint()
        found, words = train_words.devices(live)
        over = live.update is not None and live.update.over
        self.query_one("#panel", Gauges).show(found, words)
        self.query_one("#lines", Gauges).show(found, [] if over else words)
        self.query_one(Facts).show(train_words.facts(live, time.time()))
        self._show_words()

    def _show_words(self) -> None:
        """Verdict, state and events; a question to the user or the answer to a key stands before them."""
        verdict = self.query_one("#verdict", TextLines)
        verdict.show(train_words.verdict_lines(self._verdict, verdict.size.width))
        state = self.query_one("#state", TextLines)
        lines = train_words.state_lines(self.live, self._folder or self.session.workspace, self.session.workspace)
        if self._asking:
            lines = train_words.question(self._plan)
        elif self._said:
            lines = [*lines, [(self._said, "muted")]]
        state.show(lines)
        rows = 4 if self.has_class("-tall") else 1 if self.has_class("-short") else 2
        self.query_one("#events", TextLines).show(train_words.event_lines(self.live, rows))

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key that would not work now is not in the footer."""
        update = self.live.update
        active = update is not None and update.state in train_words.ACTIVE
        chart = self.query_one("#loss", Chart) if self._folder is not None and self.is_mounted else None
        has_loss = chart is not None and not chart.empty_now
        allowed = {
            "answer": self._asking,
            "ask_stop": active and not self._asking and update is not None and update.state != "stopping",
            "save": active and not self._asking,
            "pause": update is not None and update.state in ("running", "paused") and not self._asking,
            "ask_resume": update is not None and update.state in train_words.RESUMABLE and not self._asking,
            "log": self._folder is not None,
            "read": has_loss,
            "zoom": has_loss,
            "scale": has_loss,
            "smooth": has_loss,
            "pan": has_loss and chart is not None and chart.zoomed,
            "whole": self._asking or (chart is not None and (chart.zoomed or chart.crosshair is not None)),
        }
        return allowed.get(action, True)

    def action_ask_stop(self) -> None:
        """Ask before stopping."""
        self._asking, self._plan = True, None
        self._answered("")

    def action_answer(self, yes: bool) -> None:
        """The answer to the question whether to stop, or to go on."""
        self._asking = False
        plan, self._plan = self._plan, None
        if yes and plan is not None:
            self._start_again(plan)
        elif yes:
            self._request(requests.STOP, "Asked to stop and save.")
        self._answered("" if not yes else "Asking the run to stop." if plan is None else "Starting it again.")

    def action_pause(self) -> None:
        """Hold still, or go on after that."""
        if self.live.update is not None and self.live.update.state == "paused":
            self._request(requests.RESUME, "Asked to go on.")
        else:
            self._request(requests.PAUSE, "Asked to pause at the next step.")

    @work(thread=True, group="request")
    def action_ask_resume(self) -> None:
        """Find out from where the run can go on, and ask."""
        from core.recipe.resume import plan_resume  # reads recipes: not before somebody wants it

        folder, plan, said = self._folder, None, ""
        if folder is None:
            return
        try:
            plan = plan_resume(JobFolder(folder))
        except TunedeckError as error:
            said = str(error)
        self.app.call_from_thread(self._planned, folder, plan, said)

    def _planned(self, folder: Path, plan: Plan | None, said: str) -> None:
        if folder == self._folder:
            self._asking, self._plan = plan is not None, plan
            self._answered(said)

    @work(thread=True, group="request")
    def _start_again(self, plan: Plan) -> None:
        from core.recipe.resume import resume_run

        try:
            resume_run(JobFolder(plan.checkpoint.path.parents[1]), plan)
        except TunedeckError as error:
            self.post_message(self.Asked(str(error)))

    def action_save(self) -> None:
        """Ask for a checkpoint."""
        self._request(requests.SAVE, "Asked for a checkpoint.")

    @work(thread=True, group="request")
    def _request(self, name: str, said: str) -> None:
        if self._folder is None:
            return
        try:
            requests.ask(JobFolder(self._folder), name)
        except TunedeckError as error:
            said = str(error)
        self.post_message(self.Asked(said))

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        self._answered(event.said)

    def _answered(self, said: str) -> None:
        self._said = said
        self._show_words()
        self.refresh_bindings()

    def action_log(self) -> None:
        """Show or hide the log."""
        self.toggle_class("-log")
        log = self.query_one(LogView)
        if self.has_class("-log"):
            log.focus()
        else:
            self.set_focus(None)

    def action_read(self, cells: int) -> None:
        """Move the reading line."""
        self.query_one("#loss", Chart).move_crosshair(cells)
        self.refresh_bindings()

    def action_zoom(self, closer: bool) -> None:
        """Show fewer or more steps."""
        self.query_one("#loss", Chart).zoom(ZOOM if closer else 1 / ZOOM)
        self.refresh_bindings()

    def action_pan(self, direction: int) -> None:
        """Move the steps that are shown."""
        self.query_one("#loss", Chart).pan(direction / 2)

    def action_whole(self) -> None:
        """Back to the whole run; a question is taken as answered with no."""
        if self._asking:
            self.action_answer(False)
            return
        self.query_one("#loss", Chart).show_all()
        self.refresh_bindings()

    def action_scale(self) -> None:
        """Logarithmic or linear."""
        self.query_one("#loss", Chart).toggle_log()

    def action_smooth(self) -> None:
        """The next amount of smoothing."""
        self._answered(f"Smoothing: {self.live.next_smoothing()}.")
        self._show()
