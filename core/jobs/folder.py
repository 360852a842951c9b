"""One job is one folder, and the folder is the interface: everything about a job is read from and written to it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import timestamps
from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.jobs.status import ENDINGS, STARTING, Status, from_json

VERSION = 1
"""Of the folder's layout; in `job.json`, so that a later program can tell an older run."""

PROGRESS_PERIOD = 0.5
"""Seconds between two writings of a worker's progress: nobody looks more often, and a replaced file costs 0.5 ms."""

_NAME_LENGTH = 48


class JobFolder:
    """A job's folder: its paths, and the only ways to write into it.

    `job.json` has one writer at a time (launch, then the keeper), `gpu.jsonl` one for ever (the keeper). Keeper and
    worker both write `status.json`: each changes only the fields that it names, under a lock, and the last writer of a
    field wins. Every write fails with `JobGone` once `job.json` is not there any more.

    Args:
        path: the folder, existing or not.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        base = os.fspath(self.path)
        self._job = f"{base}/job.json"
        self._status = f"{base}/status.json"
        self._lock = f"{base}/.status.lock"
        self._metrics = f"{base}/metrics.jsonl"
        self._gpu = f"{base}/gpu.jsonl"
        self._events = f"{base}/events.jsonl"
        self._requests = f"{base}/requests"
        self._progress_written = -PROGRESS_PERIOD
        self._known: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"JobFolder({os.fspath(self.path)!r})"

    @property
    def id(self) -> str:
        """The folder's name: date, time and slug, such as `2026-11-21-231204-support-tone`."""
        return self.path.name

    @property
    def job(self) -> Path:
        """What the job is; written before anything else in the folder."""
        return self.path / "job.json"

    @property
    def status(self) -> Path:
        """Where it stands, replaced whole at each change."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """One line a log event of the trainer."""
        return self.path / "metrics.jsonl"

    @property
    def gpu(self) -> Path:
        """One line a second: GPUs, and the worker's CPU and memory."""
        return self.path / "gpu.jsonl"

    @property
    def events(self) -> Path:
        """Phases, checkpoints, alerts, requests and their answers, the ending."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """Stdout and stderr of the workers."""
        return self.path / "output.log"

    @property
    def keeper_log(self) -> Path:
        """Stdout and stderr of the keeper itself: empty unless something is wrong with it."""
        return self.path / "keeper.log"

    @property
    def requests(self) -> Path:
        """One file for each request of a viewer."""
        return self.path / "requests"

    @property
    def data(self) -> Path:
        """The curated view that is trained on."""
        return self.path / "data"

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def checkpoints(self) -> Path:
        """The trainer's checkpoints."""
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """The trained adapter."""
        return self.path / "adapter"

    @property
    def samples(self) -> Path:
        """What the model in training answered to a few fixed prompts, one line a round."""
        return self.path / "samples.jsonl"

    @property
    def evaluation(self) -> Path:
        """Answers and losses of base and tuned model."""
        return self.path / "evaluation"

    @classmethod
    def create(
        cls, parent: str | os.PathLike[str], name: str, kind: str, *, payload: Mapping[str, Any] | None = None
    ) -> JobFolder:
        """Makes a new folder for a job that is to be launched.

        Args:
            parent: the folder of all runs, created if need be.
            name: what the user calls the job, any text; a slug of it ends the id.
            kind: `training`, `evaluation`, `scan` ...
            payload: what the job's kind wants to keep in `job.json`, such as the recipe.

        Raises:
            BadInput: the folder cannot be made there.
        """
        created = time.time()
        stem = f"{timestamps.text(created, '%Y-%m-%d-%H%M%S')}-{slug(name) or slug(kind)}"
        try:
            os.makedirs(parent, exist_ok=True)
            folder = cls(_make(Path(parent).absolute(), stem))
            folder.requests.mkdir()
        except OSError as error:
            raise BadInput(
                f"No folder can be made for the run: {error.strerror}",
                where=os.fspath(parent),
                do="Start tunedeck in a folder that you may write to",
            ) from error
        job: dict[str, Any] = {
            "version": VERSION,
            "id": folder.id,
            "name": name,
            "kind": kind,
            "created": created,
            "host": os.uname().nodename,
            "payload": dict(payload or {}),
        }
        files.replace(folder._job, files.encode(job), durable=True)
        folder.write_status(state=STARTING, heartbeat=created)
        return folder

    def exists(self) -> bool:
        """Whether this is (still) a job's folder: one that has its `job.json`."""
        return os.path.exists(self._job)

    def check(self) -> None:
        """Makes sure of the folder before something large is written there, a checkpoint for example.

        Raises:
            JobGone: the folder was deleted or moved.
        """
        if not self.exists():
            raise files.gone(os.fspath(self.path))

    def read_job(self) -> dict[str, Any]:
        """The contents of `job.json`.

        Raises:
            BadInput: it is missing or cannot be read.
        """
        job = files.read_json(self._job)
        if job is None:
            raise BadInput(
                "This is not the folder of a run: it has no job.json that can be read",
                where=os.fspath(self.path),
                do="See `tunedeck runs` for the runs of a workspace",
            )
        return job

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Replaces `job.json`, and waits until it is on the disk.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
        """
        self.check()
        files.replace(self._job, files.encode(job), durable=True)

    def read_status(self) -> Status:
        """Where the job stands; never raises. A missing or broken file has its `problem` in words."""
        fields = files.read_json(self._status)
        if fields is not None:
            return from_json(fields)
        if not self.exists():
            return Status(problem=f"The run's folder {self.path} is gone: it was deleted or moved.")
        return Status(problem=f"{self.path}/status.json is missing or cannot be read.")

    def write_status(self, **fields: Any) -> None:
        """Changes these fields of `status.json`, and keeps all others.

        Where the file is gone or torn (by a person, or a disk), the others are as this process last wrote them. An
        ending waits until it is on the disk; anything else is atomic, but may be lost in a power cut.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
        """
        self.check()
        with files.locked(self._lock):
            merged = self._merged(fields)
            files.replace(self._status, files.encode(merged), durable=fields.get("state") in ENDINGS)

    def insist_on_status(self, **fields: Any) -> None:
        """As `write_status`; on a full disk the file is written over in place, which needs no room.

        For what viewers must see just then: that a run waits for room, or has ended.

        Raises:
            DiskFull: not even that could be done.
            JobGone: the folder was deleted or moved.
        """
        try:
            self.write_status(**fields)
        except files.DiskFull:
            files.overwrite(self._status, files.encode(self._merged(fields)))

    def _merged(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._known = {**(files.read_json(self._status) or self._known), **fields}
        return self._known

    def write_progress(self, step: int, of: int | None, **fields: Any) -> None:
        """Like `write_status(step=, of=, ...)`, but at most twice a second, and a full disk is passed over.

        For every step: most calls cost a look at the clock. The last step of all is always written.

        Raises:
            JobGone: the folder was deleted or moved.
        """
        now = time.monotonic()
        if now - self._progress_written < PROGRESS_PERIOD and step != of:
            return
        self._progress_written = now
        try:
            self.write_status(step=step, of=of, **fields)
        except files.DiskFull:
            pass  # the next step tells again

    def reset_status(self, **fields: Any) -> None:
        """Replaces `status.json` by these fields alone, for a new start, and by the seconds that earlier ones took.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
        """
        self.check()
        with files.locked(self._lock):
            before = self.read_status()
            earlier = before.seconds() or before.earlier
            told = {**fields, "earlier": round(earlier, 3)} if earlier else fields
            self._known = told
            files.replace(self._status, files.encode(told), durable=True)

    def requested(self) -> tuple[str, ...]:
        """The names in `requests/`; never raises."""
        try:
            return tuple(os.listdir(self._requests))
        except OSError:
            return ()

    def append_event(self, kind: str, message: str, **fields: Any) -> None:
        """Appends to `events.jsonl`: `{"t", "kind", "message", ...fields}`.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
        """
        self._append(self._events, {"t": round(time.time(), 3), "kind": kind, "message": message, **fields})

    def append_metric(self, values: Mapping[str, Any]) -> None:
        """Appends to `metrics.jsonl`; `t` (unix seconds) is added where it is missing.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
        """
        self._append(self._metrics, values if "t" in values else {"t": round(time.time(), 3), **values})

    def append_samples(self, record: Mapping[str, Any]) -> None:
        """Appends to `samples.jsonl`.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
        """
        self._append(os.fspath(self.samples), record)

    def append_gpu(self, record: Mapping[str, Any]) -> None:
        """Appends to `gpu.jsonl`. For the keeper alone.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
        """
        self._append(self._gpu, record)

    def _append(self, path: str, record: Mapping[str, Any]) -> None:
        if not os.path.exists(self._job):
            raise files.gone(os.fspath(self.path))
        files.append_line(path, files.encode(record))


def slug(name: str) -> str:
    """A name as part of a folder's name: lower case letters and digits of any script, joined by dashes."""
    import unicodedata  # only who makes a job needs it

    plain = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[\W_]+", "-", plain)[:_NAME_LENGTH].strip("-")


def find(path: str | os.PathLike[str]) -> JobFolder:
    """The job's folder at a path that the user gave.

    Raises:
        BadInput: there is none.
    """
    folder = JobFolder(path)
    folder.read_job()
    return folder


def _make(parent: Path, stem: str) -> Path:
    for number in range(1, 1000):
        path = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise TunedeckError("A thousand runs of this name were started in this second", where=os.fspath(parent))
