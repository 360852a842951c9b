"""A worker's side of its job's folder: phases, progress, events, requests, and how it ends.

Imports nothing heavy, so that a worker can say "loading libraries" before it does.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.engine.process import memory_held, memory_words
from core.errors import TunedeckError
from core.jobs import folder as folders
from core.jobs import requests
from core.jobs.backlog import Backlog
from core.jobs.files import DiskFull, JobGone, Unreachable
from core.jobs.folder import JobFolder
from core.jobs.status import FAILED, PAUSED, RUNNING, STOPPING
from core.jobs.takeover import KeeperTakeover

if TYPE_CHECKING:
    from core.engine.ranks import Rank

STATUS_EVERY = 1.0
"""Seconds between two writes of the progress; each costs some 100 us."""
LOOK_EVERY = 0.2
"""Seconds between two looks at the requests."""
LISTEN_EVERY = 0.5
"""Seconds between the looks of the thread that reads requests while a step, or anything else, takes long."""
_OTHERS_PATIENCE = 3.0
"""Seconds within which torchrun ends all ranks after one of them has ended."""
LOOK_AGAIN = 0.5
"""Seconds between two looks at a folder that cannot be reached."""
STOP_PATIENCE = 15.0
"""Seconds that a save may wait for such a folder once the run is to stop: a scheduler kills after 30."""


class WorkerStopped(Exception):
    """The worker was asked to end, and what there was to save has been saved.

    Args:
        message: a sentence on where it stopped.
        now: whether it was to end without saving.
    """

    def __init__(self, message: str, *, now: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.now = now


class Again(Exception):
    """All ranks are to be started again, with what this one has written into the folder."""


class Worker:
    """What a worker writes for its viewers, and what they request of it.

    A full disk, or a folder that cannot be reached, does not end a run: lines wait until they can be written. A deleted
    folder does: `JobGone` goes through. Requests are read by a thread (`listening`), and done where `asked` is
    called.

    Args:
        folder: the job's folder.
        speaks: False on every rank but the first, which then writes nothing.

    Attributes:
        job: the contents of `job.json`, as they were at the start.
        rank: this process among several; None where it is alone.
        nothing_to_save: why a checkpoint is refused, in a phase that has nothing to save; "" where it is not.
        closing_words: a sentence on what could not be done, for the end of a worker that has finished all the same.
    """

    def __init__(self, folder: JobFolder, *, speaks: bool = True) -> None:
        folder.hold()
        self.folder = folder
        self._speaks = speaks
        self._backlog = Backlog(self._report_loss)
        self._next_status = 0.0
        self._next_look = 0.0
        self._asked: tuple[str, ...] = ()
        self._answered: set[str] = set()
        self._holding = False
        self._waits_for = ""
        self._phase = ""
        self._unsent: dict[str, int] = {}
        self._activity = ""
        self._signs = 0
        self._terminations = 0
        self._lock = threading.RLock()
        self.job: Mapping[str, Any] = {}
        self.rank: Rank | None = None
        self.nothing_to_save = self.closing_words = ""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answers requests of viewers at once, however long the work inside the block takes.

        A keeper that was killed meanwhile gets a successor.
        """
        if not self._speaks:
            yield
            return
        end = threading.Event()
        kept = KeeperTakeover(self.folder, os.environ)

        def listen() -> None:
            while not end.wait(LISTEN_EVERY):
                kept.look()
                try:
                    self._look()
                    self._backlog.flush()
                except TunedeckError:
                    continue  # a deleted folder ends the run at the next point at which it looks itself

        thread = threading.Thread(target=listen, name="requests", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
            kept.look()  # the stages behind this one, and the end, are its keeper's

    def phase(self, name: str, message: str = "", *, step: int | None = None, of: int | None = None) -> None:
        """Writes at once what is being done: `loading`, `encoding`, `training`, `evaluating`, `saving`."""
        self._phase = name
        self._unsent = {}
        self._activity = ""
        self._status(state=self._going_on, phase=name, message=message, step=step, of=of, activity="")
        self.event("phase", message or f"{name.capitalize()}.", phase=name)
        self._next_status = time.monotonic() + STATUS_EVERY

    @contextmanager
    def during(self, activity: str) -> Iterator[None]:
        """Says what is done between two steps, `evaluating`, `generating` or `saving`, while it is done.

        A step that does not come meanwhile is no stall: what is done has progress of its own.
        """
        before, self._activity = self._activity, activity
        self._status(activity=activity)
        try:
            yield
        finally:
            self._activity = before
            self._status(activity=before)

    @property
    def _going_on(self) -> str:
        """The state while something is done: what is saved at the end belongs to stopping."""
        return STOPPING if self._ends else RUNNING

    @property
    def _ends(self) -> bool:
        """Whether somebody has asked the run to stop."""
        return bool(set(requests.ENDS) & self._answered)

    def progress(self, step: int, of: int, message: str = "") -> None:
        """Says how far it is; written about once a second, so it may be called every step."""
        now = time.monotonic()
        self._signs += 1
        if now < self._next_status:
            self._unsent = {"step": step, "of": of}
            return
        self._next_status = now + STATUS_EVERY
        self._unsent = {}
        self._status(step=step, of=of, message=message or self._backlog.problem, signs=self._signs)

    def event(self, kind: str, message: str, **fields: Any) -> None:
        """Appends an event."""
        self._write(partial(self.folder.append_event, kind, message, **{"t": _now(), **fields}))

    def metric(self, values: Mapping[str, Any]) -> None:
        """Appends a line of metrics."""
        self._write(partial(self.folder.append_metric, {"t": _now(), **values}))

    def samples(self, values: Mapping[str, Any]) -> None:
        """Appends a round of answers to the sample prompts."""
        self._write(partial(self.folder.append_samples, {"t": _now(), **values}))

    def completions(self, values: Mapping[str, Any]) -> None:
        """Appends a generation of an online run; the file is cut to its newer half where it has become large."""
        self._write(partial(self.folder.append_completions, {"t": _now(), **values}))

    def asked(self) -> tuple[str, ...]:
        """The requests that wait, the most urgent first; looks at most every 0.2 s, so it may be called every step.

        With several ranks, each must call this at the same points: they agree on what rank 0 knows.

        Raises:
            JobGone: the folder was deleted.
        """
        names = self.asked_here() if self._speaks else ()
        return names if self.rank is None else self.rank.agree(names)

    def look_again(self) -> None:
        """Has the next `asked` look into the folder, however short ago the last look was."""
        self._next_look = 0.0

    def asked_here(self) -> tuple[str, ...]:
        """As `asked`, on rank 0 alone: for what it does while the others wait."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY
            self._asked = self._look()
        return self._asked

    def _look(self) -> tuple[str, ...]:
        with self._lock:
            found = set(requests.pending(self.folder)) | set(self._terminated())
            if requests.RESUME in found and not self._holding:
                found -= {requests.RESUME, requests.PAUSE} & found
                self._take_back_pause()
            for name in requests.NAMES:
                if name in found and name not in self._answered:
                    self._answered.add(name)
                    self._next_look = 0.0  # what is received is done at the very next point at which it can be
                    self._write(partial(requests.received, self.folder, name, t=_now()))
                    if name in requests.ENDS:
                        self._status(state=STOPPING)
            if requests.SAVE in found and self.nothing_to_save:
                found.remove(requests.SAVE)
                self._answered.discard(requests.SAVE)
                self._write(partial(requests.refuse, self.folder, requests.SAVE, self.nothing_to_save, t=_now()))
            return tuple(name for name in requests.NAMES if name in found)

    def _take_back_pause(self) -> None:
        """`resume` of a run that does not hold: a pause that waits is taken back, else there is nothing to do."""
        if requests.PAUSE in requests.pending(self.folder):
            self.done(requests.PAUSE, "The pause was withdrawn before it started.")
            self.done(requests.RESUME, "The run is running; it had not paused yet.")
        else:
            words = "The run is not paused; it is running."
            if self._waits_for:
                words = f"The run resumes by itself as soon as it can. {self._waits_for}"
            self._write(partial(requests.refuse, self.folder, requests.RESUME, words, t=_now()))

    def done(self, name: str, message: str = "") -> None:
        """Answers a request; it may then be made again."""
        with self._lock:
            self._asked = tuple(other for other in self._asked if other != name)
            self._write(partial(requests.done, self.folder, name, message, t=_now()))
            self._answered.discard(name)

    def hold_if_asked(self, where: str = "", save: Callable[[], None] | None = None) -> bool:
        """Stays `paused`, if somebody wants that, until it is to be resumed or to end.

        Args:
            where: such as "at step 12", for the message.
            save: writes a checkpoint and answers that request; without it, the request waits.

        Returns:
            Whether it held; it may be wanted to stop now.

        Raises:
            JobGone: the folder was deleted.
        """
        names = self.asked()
        if requests.PAUSE not in names or set(requests.ENDS) & set(names):
            return False
        words = f"Paused {where or 'on request'}. It holds {memory_words(self._memory_held())}."
        with self._lock:
            self._holding = True
            self._status(state=PAUSED, message=words)
            self.done(requests.PAUSE, words)
        tick = threading.Event()
        names = ()
        while not {requests.RESUME, *requests.ENDS} & set(names):
            if self._speaks:  # the others wait for what this one says
                tick.wait(LOOK_EVERY)
            self._next_look = 0.0
            names = self.asked()
            if requests.PAUSE in names:
                self.done(requests.PAUSE, words)
            if requests.SAVE in names and save is not None:
                save()
                self._status(state=PAUSED, message=words)
        with self._lock:
            self._holding = False
            if requests.RESUME in names:
                self.done(requests.RESUME, "The run resumed after the pause.")
        if not set(requests.ENDS) & set(names):
            self._status(state=RUNNING, message="")
        return True

    def _memory_held(self) -> list[tuple[int, int]]:
        held = memory_held()
        return [held] if self.rank is None else self.rank.gather(held)

    def stop_if_asked(self, message: str) -> None:
        """Holds while somebody wants it paused, and ends here if somebody wants it to end.

        For phases that have nothing to save.

        Raises:
            Stopped: with this message.
        """
        self.hold_if_asked()
        self._stop_for(self.asked(), message)

    def _stop_for(self, names: tuple[str, ...], message: str) -> None:
        if requests.STOP_NOW in names or requests.STOP in names:
            raise WorkerStopped(message, now=requests.STOP_NOW in names)

    def reachable(self) -> bool:
        """Whether the folder can be reached now; of several ranks, each must call this at the same point.

        Raises:
            JobGone: the folder was deleted.
        """
        there = not self._speaks or self.folder.reachable()
        return there if self.rank is None else self.rank.share([there]) == [1]

    def lost(self) -> bool:
        """Whether nothing can be written into the folder, for whatever reason."""
        try:
            return self._speaks and not self.folder.reachable()
        except JobGone:
            return True

    def reach(self, what: str, *, patience: float | None = None) -> None:
        """Waits, as `paused`, while the folder cannot be reached.

        Args:
            what: what could not be done, such as "checkpoint-8 could not be written".
            patience: seconds to wait at most, None for any number. Less where the run is to stop anyway.

        Raises:
            Unreachable: it took longer.
            Stopped: somebody has asked to stop meanwhile, and no patience was named.
            JobGone: the folder was deleted.
        """
        try:
            self.folder.check()
        except Unreachable as error:
            words = f"{error.what}: {what}"
            try:
                self.pause_until(
                    self.folder.reachable,
                    f"{words}. The run waits until it can be reached.",
                    every=LOOK_AGAIN,
                    patience=patience,
                )
            except Unreachable:
                raise Unreachable(words, where=error.where) from error

    def write_with_room(self, write: Callable[[], None], what: str) -> None:
        """Writes something small that the run needs; where the disk has no room, when it has some.

        Args:
            write: may be called again.
            what: what could not be done, such as "the comparison could not be written".

        Raises:
            Stopped: somebody asked to stop during such a pause.
            JobGone: the run's folder was deleted.
        """
        lacks = ""

        def written() -> bool:
            nonlocal lacks
            try:
                write()
            except DiskFull as error:
                lacks = error.what
                return False
            return True

        if not written():
            self.pause_until(written, f"{lacks}: {what}. The run waits until there is room on {self.folder.path}.")

    def pause_until(
        self, ready: Callable[[], bool], message: str, *, every: float = 2.0, patience: float | None = None
    ) -> None:
        """Waits, as `paused` and with the reason as message, until the reason has gone. On rank 0, for what is its own.

        Args:
            ready: whether it has.
            message: the reason.
            every: seconds between two looks.
            patience: seconds to wait at most, for what is done last of all; less where the run is to stop anyway.

        Raises:
            Stopped: somebody has asked to stop meanwhile, and no patience was named.
            Unreachable: the patience is at its end.
            JobGone: the folder was deleted.
        """
        self._insist(state=PAUSED, message=message)
        self.event("alert", message)
        pause = threading.Event()
        self._waits_for = message
        began = time.monotonic()
        try:
            while not ready():
                self.folder.reachable()
                self._next_look = 0.0
                names = self.asked_here()
                if patience is None or requests.STOP_NOW in names:
                    self._stop_for(names, f"Stopped while paused: {message}")
                elif time.monotonic() - began > (min(patience, STOP_PATIENCE) if self._ends else patience):
                    raise Unreachable(message)
                pause.wait(every)
        finally:
            self._waits_for = ""
        self._status(state=self._going_on, phase=self._phase, message="")
        self.event("alert", "The problem is gone: the run has resumed.")

    def fail(self, message: str) -> None:
        """Says why the run has failed, whichever rank this is; the first to say so is right."""
        if self.rank is not None and self.folder.read_status().state == FAILED:
            return
        words = message if self._speaks else f"Rank {os.environ.get('RANK')}: {message}"
        self.speak_up()
        self.event("alert", words, failed=True)
        self.end(FAILED, words)

    def speak_up(self) -> None:
        """Lets a rank write that is not the first: something has gone wrong here, and nobody else knows."""
        self._speaks = True

    def others_fault(self) -> bool:
        """Whether an error came because another rank has ended: torchrun then ends this one, within a moment."""
        end = time.monotonic() + _OTHERS_PATIENCE
        wait = threading.Event()
        while self.rank is not None and not self._terminations and time.monotonic() < end:
            wait.wait(0.05)
        return self.rank is not None and self._terminations > 0

    def end(self, state: str, message: str, **fields: Any) -> None:
        """Leaves the last word, which the keeper passes on. Waits some minutes for a folder that cannot be reached.

        Args:
            state: `failed`, or "" to leave that to the keeper.
            message: a sentence, or "".
            fields: more of the status.

        Raises:
            JobGone: the folder was deleted.
        """
        tick, deadline = threading.Event(), time.monotonic() + folders.GONE_AFTER
        while self._speaks and not self.folder.reachable() and self._terminations < 2 and time.monotonic() < deadline:
            tick.wait(LOOK_AGAIN)
        self._backlog.flush()
        self._insist(message=message, **self._unsent, **({"state": state} if state else {}), **fields)

    def status(self, **fields: Any) -> None:
        """Writes fields of the status at once."""
        self._status(**fields)

    def _status(self, **fields: Any) -> None:
        if not self._speaks:
            return
        try:
            self.folder.write_status(**fields)
        except (DiskFull, Unreachable):
            pass  # the next one says it

    def _insist(self, **fields: Any) -> None:
        """As `_status`, also on a full disk."""
        if not self._speaks:
            return
        try:
            self.folder.insist_on_status(**fields)
        except (DiskFull, Unreachable):
            pass  # nothing could be written; the events say it when they can

    def _write(self, line: Callable[[], None]) -> None:
        if self._speaks:
            self._backlog.add(line)

    def _report_loss(self, lines: int) -> None:
        words = f"{lines:,} lines were lost: the run's folder could not be written for too long."
        self.folder.append_event("alert", words)

    def _terminated(self) -> tuple[str, ...]:
        if self._terminations == 0:
            return ()
        return (requests.STOP,) if self._terminations == 1 else (requests.STOP, requests.STOP_NOW)

    def on_termination(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM (Slurm, spot machines) or SIGINT (a terminal) is stop-and-save, a second one is now."""
        self._terminations += 1
        self._next_look = 0.0


def _now() -> float:
    return round(time.time(), 3)
