"""What the live screen knows of its run: followed in a thread, from a first glimpse to the newest line."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message

from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.glimpse import glimpse
from tui.screens.base import StepScreen
from tui.terminal.prompt_refresh import drawn_at_once
from tui.train import words as train_words
from tui.train.live_run import LiveRun
from tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from core.verdict import Verdict
    from core.verdict.run import RunJudge

CATCH_UP = 0.005
"""Seconds between two looks at the run's folder while there is more to read, so that keys are answered in between."""

DRAW_EVERY = 0.5
"""Seconds between two drawings while there is more to read."""

_PATIENCE = 0.5
"""Seconds between two looks at whether the screen still wants what was read."""


class _Followed:
    """A run with its follower and its judge, which belong together however often another run is opened.

    Attributes:
        checkpoints: whether there are any, once it has ended.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.follower = Follower(JobFolder(folder), gpu_bytes=None)
        self.lock = threading.Lock()
        self.checkpoints = False

    def look_for_checkpoints(self, update: Update) -> None:
        """Find out whether a run that has ended left any checkpoint, whole or not. In the thread."""
        if update.state in train_words.RESUMABLE and not self.checkpoints:
            self.checkpoints = any(JobFolder(self.folder).checkpoints.glob("checkpoint-*"))

    @cached_property
    def judge(self) -> RunJudge:
        """Made in the thread, since it reads recipes."""
        from core.verdict.run import RunJudge

        return RunJudge(JobFolder(self.folder))


class TrainDesk(StepScreen):
    """Follows the session's run while the screen is on.

    Attributes:
        live: all that was read of the run.
        verdict: how it goes, or None before its first metric.
    """

    AT_ONCE = (2_000, 0.03)
    """Records, and seconds, that one look may take at most: to take them in must not hold up the keys."""

    class Glimpsed(Message):
        """Some records from everywhere in a long run: its picture, until all of it is read."""

        def __init__(self, folder: Path, update: Update) -> None:
            super().__init__()
            self.folder = folder
            self.update = update

    class Looked(Message):
        """A look at the run's folder is done."""

        def __init__(self, folder: Path, update: Update, verdict: Verdict | None, read: float) -> None:
            super().__init__()
            self.folder = folder
            self.update = update
            self.verdict = verdict
            self.read = read

    def __init__(self) -> None:
        """Make the desk; what lies on it is read when the screen is shown."""
        super().__init__()
        self.live = LiveRun()
        self.verdict: Verdict | None = None
        self._folder: Path | None = None
        self._glimpse: LiveRun | None = None
        self._read = 0.0
        self._followed: _Followed | None = None
        self._halt, self._woken = threading.Event(), threading.Event()
        self._taken = threading.Event()
        self._calm = self._rested = False
        """Whether the small panels wait for the next look now, and did so at the last: every other one, if steady."""
        self._drawn = 0.0

    @property
    def has_checkpoints(self) -> bool:
        """Whether a run that has ended left any checkpoint, whole or not."""
        return self._followed is not None and self._followed.checkpoints

    @property
    def shown(self) -> LiveRun:
        """What is drawn: the run, or the first glimpse of it while the rest is being read."""
        return self._glimpse or self.live

    def _open_run(self, folder: Path | None) -> None:
        """Show another run, from its beginning."""
        self._folder = folder
        self._followed = _Followed(folder) if folder is not None else None
        self.verdict = None
        self._glimpse = None
        self._read = 0.0
        self.live = LiveRun()

    def _follow_others(self, halt: threading.Event) -> bool:
        """Look at further runs, in the thread; returns whether more of them waits to be read."""
        raise NotImplementedError

    def _show(self) -> None:
        """Draw what was read so far."""
        raise NotImplementedError

    def _curves_changed(self) -> None:
        """Other series are drawn from now on."""
        raise NotImplementedError

    def _taken_in(self, update: Update) -> None:
        """A look at the run has brought this."""
        raise NotImplementedError

    def _state_changed(self, before: Update | None, update: Update) -> None:
        """The run's state is another one than at the look before."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """Follow the session's run while the screen is on."""
        super().on_screen_resume()
        if self.session.run != self._folder or self._folder is None:
            self._open_run(self.session.run)
        self._halt.set()
        self._woken.set()
        self._halt, self._woken = threading.Event(), threading.Event()
        self._follow(self._halt, self._woken)
        self.refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Nobody looks: read nothing."""
        self.deck.run_unseen()
        self._halt.set()
        self._woken.set()

    def on_unmount(self) -> None:
        """The thread must not outlive the screen."""
        self._halt.set()
        self._woken.set()

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self, halt: threading.Event, woken: threading.Event) -> None:
        """Look at the run's folder again and again, in a thread: it may lie on a slow network disk."""
        followed = self._followed
        if followed is None:
            return
        folder, follower = followed.folder, followed.follower
        if not follower.begun:
            records = glimpse(JobFolder(folder).metrics)
            if records:
                first = follower.poll(0, 0.0)
                self.post_message(self.Glimpsed(folder, Update(first.status, first.state, first.detail, records)))
        while not halt.is_set():
            with followed.lock:  # the thread of a moment ago may still be at its last look
                update = follower.poll(*self.AT_ONCE)
                verdict = followed.judge.take(update)
                followed.look_for_checkpoints(update)
                if followed is not self._followed:
                    return
                # Also when the screen has just gone: what was read is read only once.
                self._taken.clear()
                self.post_message(self.Looked(folder, update, verdict, follower.part_read))
            if update.more:
                self._rest(self._taken, halt)
            more = self._follow_others(halt) or update.more
            woken.wait(CATCH_UP if more else self.session.look_every)
            woken.clear()

    def _rest(self, taken: threading.Event, halt: threading.Event) -> None:
        """Wait, in the thread, until the screen has taken what was read: else a long run's records pile up."""
        while not taken.wait(_PATIENCE) and not halt.is_set():
            pass

    def _look_now(self) -> None:
        """Let the next look come at once."""
        self._woken.set()

    @on(Glimpsed)
    def _glimpsed(self, event: Glimpsed) -> None:
        if event.folder != self._folder or self.live.update is not None:
            return
        self._glimpse = LiveRun(partial=True)
        self._glimpse.add(event.update)
        self._curves_changed()
        self._show()

    @on(Looked)
    def _looked(self, event: Looked) -> None:
        """Take in what is new and draw what changed."""
        self._taken.set()
        if event.folder != self._folder:
            return
        if self.session.run != self._folder:
            self.on_screen_resume()
            return
        with drawn_at_once(self):
            self._take_in(event)

    def _take_in(self, event: Looked) -> None:
        before, update = self.live.update, event.update
        if self.is_current:
            self.deck.run_seen(update.state, update.status)
        self.live.add(update)
        self._taken_in(update)
        self.verdict = event.verdict
        self._read = event.read
        log = self.query_one("#log", LogView)
        if "output.log" in update.restarted:
            log.clear()
        log.extend(update.log)
        if before is None or before.state != update.state:
            self._state_changed(before, update)
        if self._glimpse is not None and not update.more:
            self._glimpse = None
            self._curves_changed()
        now = time.monotonic()
        if not update.more or now - self._drawn >= DRAW_EVERY:
            self._drawn = now
            steady = before is not None and before.state == update.state and not (before.more or update.more)
            self._calm = self._rested = steady and not self._rested
            self._show()
            self._calm = False
