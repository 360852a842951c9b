"""The run that the live screen shows, without a screen: what is known of it, and the thread that reads its folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.sampled_read import sampled_read
from core.recipe.tasks import SFT, headline_of
from tui.live.run import LiveRun
from tui.train.messages import RunRead, SampledRead
from tui.train.words import RESUMABLE

if TYPE_CHECKING:
    from core.verdict import Verdict
    from core.verdict.run import RunJudge

CATCH_UP = 0.005
"""Seconds between two looks at the run's folder while there is more to read, so that keys are answered in between."""

AT_ONCE = (2_000, 0.03)
"""Records, and seconds, that one look may take at most: to take them in must not hold up the keys."""

_PATIENCE = 0.5
"""Seconds between two looks at whether the screen still wants what was read."""


class RunSource:
    """A run's folder and how much of it was read; threads may come and go, it is read only once.

    Attributes:
        over: whether the run has ended and all of it was read.
        headline: the metric that says how the run goes, as far as is known.
        resumable: whether there is anything to resume from, once the screen's own run has ended.
        known_as: where the screen believes it to be.
        lock: held while a thread reads: that of a moment ago may still be at its last look.
    """

    def __init__(self, folder: Path, follower: Follower) -> None:
        """Make it; nothing is read yet."""
        self.known_as = folder
        self.follower = follower
        self.headline = SFT.headline
        self.over = self.resumable = self._task_known = False
        self.lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where it lies now: an active run's folder may be moved while it is followed."""
        return self.follower.folder.path

    def look_for_checkpoints(self, update: Update) -> None:
        """Find out whether a run that has ended left any checkpoint, or its data to start again. In the thread."""
        if update.state in RESUMABLE and not self.resumable:
            folder = JobFolder(self.folder)
            self.resumable = any(folder.checkpoints.glob("checkpoint-*")) or (folder.data / "train.jsonl").is_file()

    def look_for_task(self) -> None:
        """Find out which metric says how the run goes. In the thread."""
        if not self._task_known:
            with suppress(BadInput):  # the folder is being made, or is gone: asked again at the next look
                payload = JobFolder(self.folder).read_job().get("payload")
                self.headline = headline_of(payload.get("recipe") if isinstance(payload, dict) else None)
                self._task_known = True

    @cached_property
    def judge(self) -> RunJudge:
        """Made in the thread, since it reads recipes."""
        from core.verdict.run import RunJudge

        return RunJudge(self.follower.folder)


class RunModel:
    """What is known of the run that is shown; belongs to the thread of the app.

    Attributes:
        source: where it is read from; None while no run is shown.
        live: all that was read of it.
        verdict: how it goes, or None before its first metric.
        read: the part of its metrics that was read, 0 to 1.
    """

    source: RunSource | None
    live: LiveRun
    verdict: Verdict | None
    read: float
    _sampled_read: LiveRun | None

    def __init__(self) -> None:
        """Make it, of no run."""
        self.open(None)

    def open(self, folder: Path | None) -> None:
        """Begin another run, or none."""
        self.source = None if folder is None else RunSource(folder, Follower(JobFolder(folder), gpu_bytes=None))
        self.live = LiveRun()
        self.verdict, self.read, self._sampled_read = None, 0.0, None

    @property
    def folder(self) -> Path | None:
        """The run's folder."""
        return None if self.source is None else self.source.folder

    @property
    def shown(self) -> LiveRun:
        """What is drawn: the run, or a sampled read of it while the rest is being read."""
        return self._sampled_read or self.live

    @property
    def sampled(self) -> bool:
        """Whether what is shown is a sampled read."""
        return self._sampled_read is not None

    @property
    def state(self) -> str:
        """The run's state; "" before the first look."""
        return "" if self.live.update is None else self.live.update.state

    @property
    def resumable(self) -> bool:
        """Whether a run that has ended left any checkpoint, whole or not, or its data to start again from step 0."""
        return self.source is not None and self.source.resumable

    def take_sampled_read(self, update: Update) -> None:
        """Show some records from everywhere in the run."""
        headline = self.live.headline if self.source is None else self.source.headline
        self._sampled_read = LiveRun(headline, partial=True)
        self._sampled_read.add(update)

    def take(self, looked: RunRead) -> None:
        """Take in a look at its folder."""
        self.live.judge_by(looked.source.headline)
        self.live.add(looked.update)
        self.verdict, self.read = looked.verdict, looked.read
        if not looked.update.more:
            self._sampled_read = None


class Looks:
    """Looks at a run's folder, and at those of overlaid runs, again and again, in a thread, until they are halted.

    What was read is posted, also when the screen has just gone: it is read only once.
    """

    def __init__(
        self,
        own: RunSource,
        overlaid: Callable[[], Sequence[RunSource]],
        every: float,
        post: Callable[[Message], object],
    ) -> None:
        """Make them; nothing is read yet.

        Args:
            own: the screen's own run.
            overlaid: returns the runs that are overlaid now.
            every: seconds between two looks while there is no more to read.
            post: takes `SampledRead` and `RunRead`.
        """
        self._own = own
        self._overlaid = overlaid
        self._every = every
        self._post = post
        self._halted, self._woken = threading.Event(), threading.Event()

    def halt(self) -> None:
        """Look no more."""
        self._halted.set()
        self._woken.set()

    def look_now(self) -> None:
        """Let the next look come at once."""
        self._woken.set()

    def run(self) -> None:
        """Look until halted. In the thread: the folders may lie on a slow network disk."""
        self._sampled_read()
        while not self._halted.is_set():
            more = self._look(self._own)
            for source in self._overlaid():
                more = (not source.over and self._look(source)) or more
            self._woken.wait(CATCH_UP if more else self._every)
            self._woken.clear()

    def _sampled_read(self) -> None:
        follower = self._own.follower
        with self._own.lock:
            self._own.look_for_task()
            records = [] if follower.begun else sampled_read(JobFolder(self._own.folder).metrics)
            if records:
                first = follower.poll(0, 0.0)
                self._post(SampledRead(self._own, Update(first.status, first.state, first.detail, records)))

    def _look(self, source: RunSource) -> bool:
        """Read what is new, and wait until it was taken in: else a long run's records pile up.

        Returns:
            Whether more waits to be read.
        """
        with source.lock:
            source.look_for_task()
            update = source.follower.poll(*AT_ONCE)
            source.over = update.over
            verdict = None
            if source is self._own:
                verdict = source.judge.take(update)
                source.look_for_checkpoints(update)
            looked = RunRead(source, update, verdict, source.follower.part_read)
            self._post(looked)
        while update.more and not looked.taken.wait(_PATIENCE) and not self._halted.is_set():
            pass
        return update.more
