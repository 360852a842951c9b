"""Follows a derived job in a thread: finds or starts it, reads what it writes, and says how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from core.errors import TunedeckError

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from core.jobs.state import JobState

PERIOD = 0.25
"""Seconds between two looks at a job that has nothing new."""

JobUpdate = TypeVar("JobUpdate")


class JobFollower(Generic[JobUpdate]):
    """Follows one job until its results are read.

    All that it is given is called in its thread. The job itself keeps running when nobody follows it.

    Args:
        name: of the thread.
        start: finds or starts the job; None if there is none to follow.
        look: reads what is new, and says it with `say`; given how the job stood before that, so that everything a job
            that is over has written is there to be read. Returns the seconds until the next look, None for no more.
        failed: makes an update of a sentence: the job could not be started, followed or stopped.
        post: called with each update.
    """

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[], JobFolder | None],
        look: Callable[[JobFolder, JobState], float | None],
        failed: Callable[[str], JobUpdate],
        post: Callable[[JobUpdate], object],
    ) -> None:
        self._name = name
        self._start = start
        self._look = look
        self._failed = failed
        self._post = post
        self._closed = threading.Event()
        self._stopping = threading.Lock()
        self._stop_wanted = False
        self._job: JobFolder | None = None

    def begin(self) -> None:
        """Start the thread."""
        self._in_thread(self._name, self._run)

    def say(self, update: JobUpdate) -> None:
        """Tell news, unless the job is followed no longer."""
        if not self._closed.is_set():
            self._post(update)

    def rest(self, seconds: float) -> bool:
        """Let other threads run for a moment; returns whether the job is followed no longer."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """Follow the job no longer; it keeps running."""
        self._closed.set()

    def stop(self) -> None:
        """Ask the job itself to stop; one that is only being started is asked as soon as it runs."""
        with self._stopping:
            self._stop_wanted = True
            job = self._job
        if job is not None:
            self._ask_to_stop(job)

    def _ask_to_stop(self, job: JobFolder) -> None:
        from core.jobs.derived import stop

        self._in_thread(f"stop the {self._name}", lambda: stop(job))  # it may wait for a lock

    def _run(self) -> None:
        from core.jobs.state import standing

        job = self._start()
        if job is None:
            return
        with self._stopping:
            self._job = job
            stop_wanted = self._stop_wanted
        if stop_wanted:
            self._ask_to_stop(job)
        now, looked = standing(job), time.monotonic()
        while not self._closed.is_set():
            pause = self._look(job, now)
            if pause is None:
                return
            self._closed.wait(pause)
            if time.monotonic() - looked >= PERIOD:  # results may be read far more often than that
                now, looked = standing(job), time.monotonic()

    def _in_thread(self, name: str, work: Callable[[], None]) -> None:
        def thread() -> None:
            try:
                work()
            except (OSError, TunedeckError) as fault:
                self.say(self._failed(str(fault)))

        threading.Thread(target=thread, name=name, daemon=True).start()


def ended_early(now: JobState, what: str) -> str:
    """A sentence on a job that ended without its result: it failed, was stopped or is lost.

    Args:
        now: how it stands.
        what: the job in a word, such as `scan`.
    """
    return f"The {what} ended early. {now.detail}".strip()
