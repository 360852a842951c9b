"""Train: is it going well, and will it end well? A run while it is running, and after."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from functools import partial
from pathlib import Path

from textual import events, on, work
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import Command, declare, in_pane
from tui.screens.base import StepScreen
from tui.terminal.prompt_refresh import drawn_at_once
from tui.train import facts as train_facts
from tui.train import words as train_words
from tui.train.charts import ChartsPane
from tui.train.logs import LogsPane
from tui.train.messages import LogShown, Overlaid, RequestNotice, RunRead, SampledRead
from tui.train.requests import RequestsPane
from tui.train.run import Looks, RunModel
from tui.widgets.command_line import CommandLine
from tui.widgets.facts import FactLines
from tui.widgets.gauge import Gauges
from tui.widgets.text_lines import TextLines

DRAW_EVERY = 0.5
"""Seconds between two drawings while there is more to read."""

_NOTHING = """No run selected.

Start one on Recipe (2, then F5) or pick one on Runs (6)."""


_REQUESTS = frozenset(command.id for command in RequestsPane.COMMANDS)


class TrainScreen(StepScreen):
    """The live screen of one run.

    A thread reads the run while the screen is on. What it has read goes into the model, and then each pane draws what
    has changed in its part.
    """

    STEP = "train"
    CSS_PATH = "train.tcss"
    AUTO_FOCUS = ""
    BINDINGS = declare(
        "train",
        *in_pane("requests", RequestsPane.COMMANDS),
        Command(
            "train.show_samples",
            "t",
            "samples",
            "sample outputs",
            "Show what the model answers to the sample prompts while it trains.",
            7,
        ),
        Command("train.show_recipe", "i", "recipe", "recipe", "Show the recipe and data of this run, read-only.", 8),
        *in_pane("logs", LogsPane.COMMANDS),
        *in_pane("charts", ChartsPane.COMMANDS),
        Command(
            "train.reset_zoom",
            "escape,0",
            "whole",
            "reset chart",
            "Show the whole run again and hide the cursor.",
            5,
            "esc",
            shared="back",
        ),
    )

    def __init__(self) -> None:
        """Make the screen; the run is read when it is shown."""
        super().__init__()
        self.run = RunModel()
        self._gauges_beside, self._gauges_below = Gauges(panel=True, id="panel"), Gauges(id="lines")
        self.charts = ChartsPane(self.run, self._gauges_beside)
        self.requests = RequestsPane(self.run)
        self.logs = LogsPane(self.run)
        self._facts = FactLines(id="facts")
        self._verdict = TextLines(id="verdict")
        self._looks: Looks | None = None
        self._drawn = 0.0

    def compose_body(self) -> Iterable[Widget]:
        """Charts and devices, facts, state, events, log; or a word on what to do without a run."""
        yield Static(_NOTHING, id="nothing", markup=False)
        with Vertical(id="live"):
            yield self.charts
            yield self._gauges_below
            yield self._facts
            yield self._verdict
            yield self.requests
            yield self.logs
        yield CommandLine()

    # -- reading --------------------------------------------------------------------------------------------

    def on_screen_resume(self) -> None:
        """Follow the session's run while the screen is on."""
        super().on_screen_resume()
        if self.session.run != self.run.folder or self.run.folder is None:
            self._open(self.session.run)
        self._halt()
        if self.run.source is not None:
            self._looks = Looks(
                self.run.source, lambda: self.charts.overlays.sources, self.session.look_every, self.post_message
            )
            self._follow(self._looks)
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Nobody looks: read nothing."""
        self.deck.run_unseen()
        self._halt()
        self.logs.forget_matches()

    def on_unmount(self) -> None:
        """The thread must not outlive the screen."""
        self._halt()

    def _halt(self) -> None:
        if self._looks is not None:
            self._looks.halt()

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self, looks: Looks) -> None:
        looks.run()

    @on(Overlaid)
    def look_now(self) -> None:
        """Let the next look come at once."""
        if self._looks is not None:
            self._looks.look_now()

    def _open(self, folder: Path | None) -> None:
        """Show another run, from its beginning."""
        self.run.open(folder)
        self.set_class(folder is None, "-nothing")
        self.requests.begin()
        self.logs.begin()
        self.charts.begin()
        self._facts.forget_widths()
        self._fit()

    @on(SampledRead)
    def _show_sampled_read(self, event: SampledRead) -> None:
        if event.source is self.run.source and self.run.live.update is None:
            self.run.take_sampled_read(event.update)
            self._show()

    @on(RunRead)
    def _looked(self, event: RunRead) -> None:
        """Take in what is new and draw what changed."""
        event.taken.set()
        source = event.source
        if source.folder != source.known_as:  # it was moved, and is the same run
            if self.session.run == source.known_as:
                self.session.run = source.folder
            source.known_as = source.folder
        if event.source is not self.run.source:
            self.charts.take_overlaid(event.source, event.update)
        elif self.session.run != self.run.folder:
            self.on_screen_resume()
        else:
            with drawn_at_once(self):
                self._take(event)

    def _take(self, event: RunRead) -> None:
        before, update = self.run.live.update, event.update
        if self.is_current:
            self.deck.run_seen(update.state, update.status)
        self.run.take(event)
        self.requests.take(update)
        self.logs.take(update)
        same_state = before is not None and before.state == update.state
        if not same_state:
            self.requests.state_changed(first=before is None)
            self.logs.state_changed()
            self.refresh_bindings()
        now = time.monotonic()
        if not update.more or now - self._drawn >= DRAW_EVERY:
            self._drawn = now
            self._show(steady=same_state and before is not None and not (before.more or update.more))

    # -- deciding -------------------------------------------------------------------------------------------

    @property
    def aim(self) -> Hashable:
        """The run, and the question about it."""
        return self.run.folder, self.requests.asking

    def pictured(self) -> Iterable[Hashable]:
        """The run, once anything is known of it."""
        return [] if self.run.live.update is None else [self.aim]

    @property
    def asking(self) -> bool:
        """Whether the run is about to be stopped or started again."""
        return bool(self.requests.asking)

    def offers(self, command: Command) -> bool:
        """A run that is read-only for this user takes no requests."""
        update = self.run.live.update
        return update is None or not update.read_only or command.id not in _REQUESTS

    # -- drawing --------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Few rows leave one for events."""
        super().on_resize(event)
        self.set_class(event.size.height < 24, "-short")
        self._facts.forget_widths()
        self._fit()

    @on(LogShown)
    def _fit(self) -> None:
        """Share out the room."""
        self.set_class(self.logs.open, "-log")
        room = self.has_class("-wide") and self.has_class("-tall")
        self.charts.fit(panels=room, rows=1 if self.logs.open else 2)
        if self.run.folder is not None:
            self._show()

    def _show(self, *, steady: bool = False) -> None:
        """Draw what was read so far; each widget sends its changed cells only."""
        self.charts.draw(steady=steady)
        self._show_devices()
        self._facts.most_rows = 3 if self.has_class("-tall") else 2
        self._facts.show(train_facts.facts(self.run.shown, time.time(), self.session.settings))
        if not self.run.sampled:
            self._verdict.show(train_words.verdict_lines(self.run.verdict, self._verdict.size.width))
        self.requests.brief = self.charts.chart.empty_now
        self.requests.draw()
        crowded = self.has_class("-short") or self.has_class("-crowded")
        self.logs.draw(4 if self.has_class("-tall") else 1 if crowded else 2)

    def _show_devices(self) -> None:
        """Gauges, beside the chart or below it; they take the rows that chart, words and log leave."""
        run = self.run.live
        if run.update is not None and run.update.more:
            return
        found, words = train_words.devices(run, self.size.width - 2)
        ended = run.update is not None and run.update.over
        # A panel is for devices: a sentence in half of the screen is no use to anybody.
        self.set_class(not found and (ended or run.gpus.newest is not None), "-no-gpu")
        below, tall, short = self._gauges_below, self.has_class("-tall"), self.has_class("-short")
        below.rows_alone, below.most_rows = (16, 16) if tall else (6, 8)
        if not tall and (short or self.logs.open):
            below.rows_alone, below.most_rows = 3, 4
        many = len(found) > 8
        self.set_class(many and self.size.width >= 140, "-many")
        self.set_class(many and not tall, "-crowded")  # leaves one row for events
        said = [words] if words else []
        self._gauges_beside.show(found, said)
        below.show(found, [] if ended and short else said)

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key that would not work now is not in the footer."""
        if action in ("samples", "recipe"):
            return self.run.folder is not None
        if action == "whole":
            return self.run.folder is not None and self.charts.narrowed
        return super().check_action(action, parameters)

    @on(RequestNotice)
    def _said(self, event: RequestNotice) -> None:
        self.requests.say(event.words)

    def action_samples(self) -> None:
        """Sample outputs while training; of an online run what it has generated and scored."""
        from core.runs.completions import has_completions

        if self.run.folder is not None:
            self._show_outputs(completions=has_completions(self.run.folder))

    def _show_outputs(self, *, completions: bool) -> None:
        """Completions or sample outputs; each has a key for the other."""
        from tui.train.completions import CompletionsScreen
        from tui.train.samples import SamplesScreen

        folder = self.run.folder
        if folder is not None:
            other = partial(self._show_outputs, completions=not completions)
            self.app.push_screen(CompletionsScreen(folder, other) if completions else SamplesScreen(folder, other))

    def action_recipe(self) -> None:
        """Recipe and data of the run."""
        from tui.run_details.screen import RunDetailsScreen

        if self.run.folder is not None:
            self.app.push_screen(RunDetailsScreen(self.run.folder))

    def action_whole(self) -> None:
        """Back to the whole run."""
        self.charts.show_all()
