"""The queue of a workspace: which runs wait, in which order, and for what. One file, changed under a lock.

A queued run has its folder already, with state `queued` and everything that starts it; the queue holds the order. A run
that is active stays in the file until it has ended, so that one which a reboot has ended is known to belong here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput, TunedeckError
from core.gpu.selection import visible_here
from core.jobs import files, process
from core.jobs.access import refuse_read_only
from core.jobs.folder import JobFolder
from core.jobs.process import Identity
from core.jobs.state import standing
from core.jobs.status import QUEUED, STOPPED
from core.paths import hidden_dir, runs_dir

PATIENCE = 10.0
"""Seconds to wait for the lock; its holder needs milliseconds."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """One run of the queue.

    Attributes:
        id: the run's folder in `runs/`.
        added: unix seconds.
        devices: the device set: GPUs or MIG slices as CUDA names them, or `cpu`; empty for one GPU, whichever is free.
        free_bytes: memory that must be free on each of these GPUs before it starts; 0 for any.
        not_before: unix seconds; 0 for at once.
        visible: `CUDA_VISIBLE_DEVICES` where it was queued: what it may choose from; None for all GPUs.
        after: the run that must finish first, because this one continues a pipeline; "" for none.
    """

    id: str
    added: float
    devices: tuple[str, ...] = ()
    free_bytes: int = 0
    not_before: float = 0.0
    visible: str | None = None
    after: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form in `queue.json`."""
        return {
            "id": self.id,
            "added": self.added,
            "devices": list(self.devices),
            "free_bytes": self.free_bytes,
            "not_before": self.not_before,
            "visible": self.visible,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class QueueFile:
    """What `queue.json` says.

    Attributes:
        entries: in order; active runs are among them.
        paused: whether nothing is started until somebody says so.
        runner: the process that starts this user's runs, as it last named itself; it may have ended.
        others: likewise of other users who share the workspace, by user ID.
    """

    entries: tuple[QueuedRun, ...] = ()
    paused: bool = False
    runner: Identity | None = None
    others: Mapping[int, Identity] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether this user's runner lives, on this machine and since this boot."""
        return process.is_alive(self.runner)


@dataclass(slots=True)
class Queue:
    """The queue of a workspace.

    Args:
        workspace: the folder that holds `runs/` and `.tunedeck/`.
    """

    workspace: Path
    _path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.workspace = Path(self.workspace).absolute()
        self._path = hidden_dir(self.workspace) / "queue.json"

    @property
    def log(self) -> Path:
        """What the runner writes to its stdout and stderr; empty unless something is wrong."""
        return self._path.with_name("queue.log")

    @property
    def runner_lock(self) -> Path:
        """Held by this user's runner as long as it lives: nobody can start the runs of another user."""
        own = os.stat(self.workspace).st_uid == os.geteuid()
        return self._path.with_name(f".queue-runner{'' if own else f'-{os.geteuid()}'}.lock")

    def folder(self, entry: QueuedRun) -> JobFolder:
        """The folder of an entry's run."""
        return JobFolder(runs_dir(self.workspace) / entry.id)

    def read(self) -> QueueFile:
        """What the file says; an empty queue where there is none.

        Raises:
            BadInput: it cannot be read.
        """
        found = files.read_json(os.fspath(self._path))
        if found is None:
            if not self._path.exists():
                return QueueFile()
            raise BadInput("Cannot read the queue", where=os.fspath(self._path), do="Delete the file to start over")
        try:
            entries = tuple(_entry(value) for value in found["runs"])
            me = os.geteuid()
            runners = {int(uid): one for uid, one in dict(found.get("runners") or {me: found.get("runner")}).items()}
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"Cannot read the queue ({error!r})", where=os.fspath(self._path)) from error
        known = {uid: one for uid, each in runners.items() if (one := process.from_json(each)) is not None}
        return QueueFile(entries, bool(found.get("paused")), known.pop(me, None), known)

    def write(self, contents: QueueFile) -> None:
        """Replaces the file; only for who holds the lock."""
        runners = {**contents.others, **({} if contents.runner is None else {os.geteuid(): contents.runner})}
        value = {
            "version": 1,
            "paused": contents.paused,
            "runner": contents.runner and contents.runner.to_json(),
            "runners": {str(uid): one.to_json() for uid, one in runners.items()},
            "runs": [entry.to_json() for entry in contents.entries],
        }
        files.replace(os.fspath(self._path), files.encode(value), durable=True)

    @contextmanager
    def locked(self) -> Iterator[QueueFile]:
        """Holds the queue's lock, for a read and a write.

        Raises:
            JobGone: the workspace is not there (any more); it is not made again.
            TunedeckError: somebody else holds it for too long, or it cannot be written.
        """
        if not self.workspace.is_dir():
            raise files.JobGone("No such workspace", where=os.fspath(self.workspace))
        files.make_folder(os.fspath(self._path.parent))
        lock = files.open_lock(self._path.with_name(".queue.lock"))
        try:
            deadline = time.monotonic() + PATIENCE
            while not files.try_lock(lock):
                if time.monotonic() > deadline:
                    raise TunedeckError(
                        "The queue is locked by another program",
                        where=os.fspath(self._path),
                        do="Try again; a suspended `tunedeck` may hold the lock",
                    )
                time.sleep(0.01)
            yield self.read()
        finally:
            os.close(lock)

    def add(self, *entries: QueuedRun) -> None:
        """Puts runs at the end, all or none."""
        with self.locked() as now:
            self.write(replace(now, entries=(*now.entries, *entries)))

    def remove(self, run_id: str) -> list[str]:
        """Removes a queued run from the queue, and those that would start after it; their folders stay, as `stopped`.

        Returns:
            The IDs of the removed runs, that run first.

        Raises:
            BadInput: it is not queued there, or this user may only look at one of them.
        """
        with self.locked() as now:
            gone = {self._waiting(now, run_id).id: None}
            waiting = self.waiting(now)
            for entry in waiting * len(waiting):  # in whatever order they stand
                if entry.after in gone:
                    gone[entry.id] = None
            for name in gone:
                refuse_read_only(JobFolder(runs_dir(self.workspace) / name))
            self.write(replace(now, entries=tuple(other for other in now.entries if other.id not in gone)))
            for name in gone:
                words = "Removed from the queue before it started."
                if name != run_id:
                    words = f"Removed from the queue along with {run_id}, which it was to start from."
                folder = JobFolder(runs_dir(self.workspace) / name)
                folder.write_status(state=STOPPED, message=words, ended=time.time())
            return list(gone)

    def release(self, run_id: str) -> None:
        """Lets a queued run start without waiting for the run before it in its pipeline.

        Raises:
            BadInput: it is not queued there, waits for no other run, or this user may only look at it.
        """
        with self.locked() as now:
            entry = self._waiting(now, run_id)
            refuse_read_only(self.folder(entry))
            if not entry.after:
                raise BadInput("This run is not waiting for another run", where=run_id)
            free = replace(entry, after="")
            self.write(replace(now, entries=tuple(free if other is entry else other for other in now.entries)))

    def move(self, run_id: str, place: int) -> None:
        """Gives a queued run another place.

        Args:
            run_id: the run.
            place: from 1, the next to be started; beyond the end means the end.

        Raises:
            BadInput: it is not queued there, or there is no such place.
        """
        if place < 1:
            raise BadInput("Queue positions start at 1", where=str(place))
        with self.locked() as now:
            entry = self._waiting(now, run_id)
            waiting = [other for other in self.waiting(now) if other.id != entry.id]
            waiting.insert(place - 1, entry)
            left = {other.id for other in waiting}
            active = [other for other in now.entries if other.id not in left]
            self.write(replace(now, entries=(*active, *waiting)))

    def pause(self, paused: bool) -> None:
        """Pauses or resumes the queue; active runs are left alone."""
        with self.locked() as now:
            self.write(replace(now, paused=paused))

    def waiting(self, contents: QueueFile) -> list[QueuedRun]:
        """The entries whose run has not been started, in order."""
        return [entry for entry in contents.entries if standing(self.folder(entry)).state == QUEUED]

    def _waiting(self, contents: QueueFile, run_id: str) -> QueuedRun:
        found = next((entry for entry in self.waiting(contents) if entry.id == run_id), None)
        if found is None:
            raise BadInput("This run is not queued", where=run_id, do="`tunedeck queue` lists the queue")
        return found


def queue_of(folder: JobFolder) -> Queue:
    """The queue that a run in a workspace would be in."""
    return Queue(folder.path.parents[1])


def _entry(value: Mapping[str, Any]) -> QueuedRun:
    name = str(value["id"])
    if name != os.path.basename(name) or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is not a run of this workspace")
    return QueuedRun(
        id=name,
        added=float(value["added"]),
        devices=tuple(str(name) for name in value.get("devices") or ()),
        free_bytes=int(value.get("free_bytes") or 0),
        not_before=float(value.get("not_before") or 0.0),
        visible=_visible(value),
        after=os.path.basename(str(value.get("after") or "")),
    )


def _visible(value: Mapping[str, Any]) -> str | None:
    """Entries of earlier versions did not say; they were held to what the queue's runner saw."""
    if "visible" not in value:
        return visible_here()
    return None if value["visible"] is None else str(value["visible"])
