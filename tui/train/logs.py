"""What a run has written: its last events, its log, and all of its events in the log's place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from textual.app import ComposeResult

from core.jobs.follow import Update
from core.units import count
from tui.actions import Command
from tui.screens.pane import Pane
from tui.train import words as train_words
from tui.train.messages import LogShown, RequestNotice
from tui.train.run import RunModel
from tui.widgets.command_line import CommandLine
from tui.widgets.log_view import LogView
from tui.widgets.text_lines import TextLines


class LogsPane(Pane):
    """Shows the last events and, when asked to, the log or all events; posts `LogShown` and `RequestNotice`."""

    NAME = "logs"
    COMMANDS = (
        Command("train.toggle_log", "l", "log", "log", "Show or hide the log.", 4),
        Command(
            "train.search",
            "slash",
            "search",
            "search",
            "Search the log or the events; n and N are the next and previous match.",
            4,
            opens_line=True,
            shared="search",
        ),
        Command("train.close_log", "escape", "close", "close", "Close the log or the events.", 3, shared="back"),
        Command("train.toggle_events", "e", "events", "events", "Show or hide all events in place of the log.", 6),
    )

    def __init__(self, run: RunModel) -> None:
        """Make the pane.

        Args:
            run: what is known of the run.
        """
        super().__init__()
        self._run = run
        self._last = TextLines(id="events", wrap=False)
        self._log = LogView(id="log")
        self._events: LogView | None = None
        """All events: made when first wanted, so that the start pays nothing for it."""
        self._wrapped_at = 0
        self._matches = False
        """Whether what a search found is said."""

    def compose(self) -> ComposeResult:
        """The last events, and the log."""
        yield self._last
        yield self._log

    @property
    def open(self) -> bool:
        """Whether the log is shown, or all events in its place."""
        return self.has_class("-log")

    @property
    def _with_events(self) -> bool:
        return self.has_class("-events")

    @property
    def _lines(self) -> LogView:
        """The log, or the events that stand in its place."""
        return self._events if self._events is not None and self._with_events else self._log

    # -- what was written -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another run is shown."""
        self.remove_class("-log", "-events")
        self._log.clear()
        if self._events is not None:
            self._events.clear()

    def take(self, update: Update) -> None:
        """Take in what the run has written since the last look."""
        if "output.log" in update.restarted:
            self._log.clear()
        self._log.extend(update.log)
        if self._events is not None:
            if "events.jsonl" in update.restarted:
                self._events.clear()
            self._extend_events(update.events)

    def _extend_events(self, events: Iterable[Mapping[str, Any]]) -> None:
        if self._events is not None:
            self._wrapped_at = self.size.width
            width = max(20, self._wrapped_at - 4)
            self._events.extend(line for event in events for line in train_words.event_text(event, width))

    def on_resize(self) -> None:
        """Wrap the events again."""
        if self._events is not None and self.size.width != self._wrapped_at:
            self._events.clear()
            self._extend_events(self._run.live.past)

    def state_changed(self) -> None:
        """The run's state is another one: a failure shows the log."""
        if self._run.state == "failed":
            self._show(True, events=False)
        self._set_going()

    def _set_going(self) -> None:
        for lines in filter(None, (self._log, self._events)):
            lines.set_going(self._run.state in train_words.ACTIVE)

    def draw(self, rows: int) -> None:
        """The last events; with the log the last alert, if there is any.

        Args:
            rows: how many events there is room for.
        """
        run = self._run.live
        width = self.size.width - 2
        event_lines = train_words.alert_line(run, width) if self.open else train_words.event_lines(run, rows, width)
        self._last.display = bool(event_lines) or not self.open
        self._last.show(event_lines)

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Searching needs something that is shown; closing is for who is in there."""
        if action == "close":
            return self.open and self._lines.has_focus
        return self.open if action == "search" else self._run.folder is not None

    def action_log(self) -> None:
        """Show or hide the log."""
        self._show(not self.open or self._with_events, events=False)
        self.forget_matches()
        self._focus()

    def action_close(self) -> None:
        """Hide what is shown, and end its search."""
        self._lines.search("")
        self._show(False, events=False)
        self.forget_matches()
        self._focus()

    async def action_events(self) -> None:
        """Show or hide all events."""
        if self._events is None:
            self._events = LogView(title="events", empty="no events yet", id="all-events")
            await self.mount(self._events)
            self._set_going()
            self._extend_events(self._run.live.past)
        self._show(not self._with_events, events=True)
        self.forget_matches()
        self._focus()

    def _show(self, shown: bool, *, events: bool) -> None:
        self.set_class(shown, "-log")
        self.set_class(shown and events, "-events")
        self.post_message(LogShown())

    def _focus(self) -> None:
        self.screen.set_focus(self._lines if self.open else None)

    def forget_matches(self) -> None:
        """What a search found is said no longer once its lines are gone."""
        if self._matches:
            self._matches = False
            self.post_message(RequestNotice(""))

    def action_search(self) -> None:
        """Ask for what to search."""
        self.screen.query_one(CommandLine).ask(
            "search", "enter searches; then n and N are the next and previous match", self._search
        )

    def _search(self, text: str) -> None:
        wanted = text.strip()
        found = self._lines.search(wanted)
        self._focus()
        if not wanted:
            return
        none = "No match in the events." if self._with_events else "No match in the log. Press e for the events."
        self._matches = True
        many = f"{count(found)} matching lines" if found > 1 else "1 matching line"
        self.post_message(RequestNotice(f"{many}; n next, N previous." if found else none))
