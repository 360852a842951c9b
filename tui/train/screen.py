"""Train: is it going well, and will it end well? A run as it goes, or as it went."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from pathlib import Path

from textual import events, on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from core.jobs.follow import Update
from core.units import count
from tui.actions import Command, declare
from tui.train import facts as train_facts
from tui.train import words as train_words
from tui.train.charts import TrainCharts
from tui.train.panels import Panels
from tui.widgets.chart import Chart
from tui.widgets.facts import Facts
from tui.widgets.gauge import Gauges
from tui.widgets.log_view import LogView
from tui.widgets.text_lines import TextLines

_NOTHING = """No run is shown here yet.

2 Recipe: say what to train and how; F5 there starts it.
6 Runs: choose one of the runs so far."""


class TrainScreen(TrainCharts):
    """The live screen of one run."""

    STEP = "train"
    CSS_PATH = "train.tcss"
    AUTO_FOCUS = ""
    BINDINGS = declare(
        "train",
        Command("train.stop", "s", "ask_stop", "stop and save", "Stop the run: it saves, then ends. Asks first.", 2),
        Command(
            "train.yes",
            "y",
            "answer(True)",
            "yes",
            "Yes: stop and save, after s and f; go on, after r.",
            1,
            decides=True,
        ),
        Command("train.no", "n", "answer(False)", "no", "No: leave the run as it is, after s, r and f.", 1),
        Command(
            "train.now",
            "k",
            "end_now",
            "end now",
            "End at once without saving: after s, or while it stops.",
            1,
            decides=True,
        ),
        Command("train.resume", "r", "ask_resume", "resume", "Go on from the last checkpoint. Asks first.", 2),
        Command("train.pause", "p", "pause", "pause", "Hold still at the next step.", 3, decides=True),
        Command("train.go_on", "p", "go_on", "go on", "Go on after a pause.", 1, decides=True),
        Command("train.release", "f", "release", "free memory", "After p: save and end instead; r goes on.", 2),
        Command("train.save", "c", "save", "checkpoint", "Save a checkpoint now; the run goes on.", 3),
        Command("train.samples", "a", "samples", "answers", "What the model answers while it trains, by step.", 7),
        Command("train.log", "l", "log", "log", "Show or hide the log.", 4),
        Command("train.search", "slash", "search", "search", "Search log or events; [ and ] go on up and down.", 4),
        Command("train.events", "e", "events", "events", "Show or hide all events, in the log's place.", 6),
        Command("train.left", "left", "read(-1)", "read values", "Read values off the curves, further left.", 5, "←→"),
        Command("train.right", "right", "read(1)", "", "Read values off the curves, further right."),
        Command("train.far_left", "ctrl+left", "read(-10)", "", "Ten cells to the left."),
        Command("train.far_right", "ctrl+right", "read(10)", "", "Ten cells to the right."),
        Command("train.panels", "plus", "panels", "panel", "Choose the metrics that have a panel.", 6, "+"),
        Command("train.overlay", "o", "overlay", "overlay", "Draw other runs over this one; one can be pinned.", 7),
        Command("train.large", "b", "large", "metric", "The next metric in the large chart.", 8),
        Command("train.axis", "x", "axis", "x axis", "Let x count steps, epochs, tokens or time.", 9),
        Command("train.zoom_in", "z,equals_sign", "zoom(True)", "zoom", "Show fewer steps.", 10, "z"),
        Command("train.zoom_out", "Z,minus", "zoom(False)", "", "Show more steps.", 0, "-"),
        Command("train.pan_left", "comma", "pan(-1)", "", "Move to earlier steps, when zoomed in.", 0, ","),
        Command("train.pan_right", "full_stop", "pan(1)", "", "Move to later steps, when zoomed in.", 0, "."),
        Command(
            "train.whole", "escape,0", "whole", "whole run", "The whole run again, without the reading line.", 5, "esc"
        ),
        Command("train.scale", "g", "scale", "log scale", "Logarithmic or linear y axis.", 11),
        Command("train.smooth", "m", "smooth", "smoothing", "Average the loss normally, strongly, not at all.", 12),
    )

    def __init__(self) -> None:
        super().__init__()
        self._told: LogView | None = None
        """All events."""

    # --- the widgets

    def compose_body(self) -> Iterable[Widget]:
        """Charts and devices, facts, state, events, log; or a word on what to do without a run."""
        yield Static(_NOTHING, id="nothing", markup=False)
        with Vertical(id="live"):
            with Horizontal(id="top"):
                yield Chart("loss", [], id="loss", write=train_words.loss_words, write_x=self._place)
                yield Gauges(panel=True, id="panel")
            yield Panels(id="small")
            yield Gauges(id="lines")
            yield Facts(id="facts")
            yield TextLines(id="verdict")
            yield TextLines(id="state")
            yield TextLines(id="events", wrap=False)
            yield LogView(id="log")
            yield Input(id="search", placeholder="search these lines: enter finds, esc leaves", compact=True)

    def on_resize(self, event: events.Resize) -> None:
        """Few rows leave one for events."""
        super().on_resize(event)
        self.set_class(event.size.height < 24, "-short")
        self.query_one(Panels).display = self.has_class("-wide") and self.has_class("-tall")
        if self._folder is not None:
            self.query_one(Facts).forget_widths()
            self._panels_changed()
            self._show()

    def _open_run(self, folder: Path | None) -> None:
        """Show another run, from its beginning."""
        super()._open_run(folder)
        self._forget_questions()
        self.set_class(folder is None, "-nothing")
        self.remove_class("-log", "-told")
        self._curves_changed()
        for lines in self.query(LogView):
            lines.clear()
        self.query_one(Facts).forget_widths()
        if folder is not None:
            self._show()

    def _state_changed(self, before: Update | None, update: Update) -> None:
        """A failure shows the log; other keys work now."""
        if update.state == "failed":
            self.add_class("-log")
            self.remove_class("-told")
            self._panels_changed()
        for lines in self.query(LogView):
            lines.set_going(update.state in train_words.ACTIVE)
        self._asking = ""
        if before is not None:
            self._pausing = False
            self._said = ""  # what was answered to a key has come about, or has been overtaken
        self.refresh_bindings()

    def _taken_in(self, update: Update) -> None:
        """New events belong to the list of all, once somebody has asked for that."""
        super()._taken_in(update)
        told = self._told
        if told is not None:
            if "events.jsonl" in update.restarted:
                told.clear()
            told.extend(map(train_words.event_text, update.events))

    @property
    def aim(self) -> Hashable:
        """The run, and what is asked about it."""
        return self._folder, self._asking

    def pictured(self) -> Iterable[Hashable]:
        """The run, once anything is known of it."""
        return [] if self.live.update is None else [self.aim]

    # --- drawing

    def _fit_gauges(self, count: int) -> None:
        """Let gauges take the rows that chart, words and log leave; many of them leave one row for events."""
        lines, tall = self.query_one("#lines", Gauges), self.has_class("-tall")
        lines.rows_alone, lines.most_rows = (16, 16) if tall else (6, 8)
        if not tall and (self.has_class("-short") or self.has_class("-log")):
            lines.rows_alone, lines.most_rows = 3, 4
        self.set_class(count > 8 and self.size.width >= 140, "-many")
        self.set_class(count > 8 and not tall, "-crowded")

    def _show(self) -> None:
        """Draw what was read so far; each widget sends its changed cells only."""
        self._draw_charts()
        run = self.live
        if not run.partial and (run.update is None or not run.update.more):
            found, words = train_words.devices(run)
            over = run.update is not None and run.update.over
            self._fit_gauges(len(found))
            self.query_one("#panel", Gauges).show(found, words)
            self.query_one("#lines", Gauges).show(found, words if not over or not self.has_class("-short") else [])
        facts = self.query_one(Facts)
        facts.most_rows = 3 if self.has_class("-tall") else 2
        facts.show(train_facts.facts(self.shown, time.time(), self.session.settings))
        self._show_words()

    def _show_words(self) -> None:
        """Verdict, state and events; a question to the user or the answer to a key stands before them."""
        verdict = self.query_one("#verdict", TextLines)
        if self._glimpse is None:
            verdict.show(train_words.verdict_lines(self.verdict, verdict.size.width))
        state = self.query_one("#state", TextLines)
        lines = train_words.state_lines(self.shown, self._folder or self.session.workspace, self.session.workspace)
        if self._asking:
            lines = train_words.question(self._asking, self._plan, comparing=self._comparing)
        elif self._glimpse is not None:
            lines = [[(f"a first look; {100 * self._read:.0f} % of the run was read", "muted")], *lines[:1]]
        elif self._said:
            lines = [*lines, [(self._said, "muted")]]
        state.show(lines)
        rows = 4 if self.has_class("-tall") else 1 if self.has_class("-short") or self.has_class("-crowded") else 2
        log_on = self.has_class("-log")
        shown = self.query_one("#events", TextLines)
        told = train_words.alert_line(self.live) if log_on else train_words.event_lines(self.live, rows)
        shown.display = bool(told) or not log_on
        shown.show(told)

    @property
    def _comparing(self) -> bool:
        """Whether training is done and a later part goes on."""
        return self.live.update is not None and self.live.update.status.stage > 0

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key that would not work now is not in the footer."""
        if action in ("log", "events", "samples"):
            return self._folder is not None
        if action == "search":
            return self.has_class("-log")
        if action == "whole" and self.has_class("-search"):
            return True
        return {**self._allowed_requests(), **self._allowed_charts()}.get(action, True)

    def action_samples(self) -> None:
        """What the model in training answered."""
        from tui.train.samples import SamplesScreen

        if self._folder is not None:
            self.app.push_screen(SamplesScreen(self._folder))

    def action_search(self) -> None:
        """Ask for what to search in the log."""
        self.add_class("-search")
        field = self.query_one("#search", Input)
        field.value = ""
        field.focus()

    @on(Input.Submitted, "#search")
    def _search(self, event: Input.Submitted) -> None:
        found = self._lines.search(event.value.strip())
        self._leave_search()
        if event.value.strip():
            none = "No event holds it." if self.has_class("-told") else "No line of the log holds it. e: all events."
            many = f"{count(found)} lines hold it" if found > 1 else "1 line holds it"
            self._answered(f"{many}; [ goes up, ] down." if found else none)

    def _leave_search(self) -> None:
        self.remove_class("-search")
        self._lines.focus()

    @property
    def _lines(self) -> LogView:
        """The log, or the events that stand in its place."""
        return self.query_one("#told" if self.has_class("-told") else "#log", LogView)

    def action_whole(self) -> None:
        """Out of the search, else back to the whole run."""
        if self.has_class("-search"):
            self._leave_search()
            return
        super().action_whole()

    def action_log(self) -> None:
        """Show or hide the log."""
        self._show_lines(not self.has_class("-log") or self.has_class("-told"), told=False)

    async def action_events(self) -> None:
        """Show or hide all events."""
        if self._told is None:  # made when first wanted: the start pays nothing for it
            told = self._told = LogView(title="events", empty="nothing has happened yet", id="told")
            await self.query_one("#live").mount(told, after="#log")
            told.set_going(self.live.update is not None and self.live.update.state in train_words.ACTIVE)
            told.extend(map(train_words.event_text, self.live.past))
        self._show_lines(not self.has_class("-told"), told=True)

    def _show_lines(self, on: bool, *, told: bool) -> None:
        self.set_class(on, "-log")
        self.set_class(on and told, "-told")
        self._panels_changed()
        self._show()
        if on:
            self._lines.focus()
        else:
            self.set_focus(None)
