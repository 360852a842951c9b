"""One job is one folder, and the folder is the interface: everything about a job is read from and written to it."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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

GONE_AFTER = 180.0
"""Seconds for which a folder must not be found before it counts as deleted: a remount or an `mv` takes less."""

_NAME_LENGTH = 48


class JobFolder:
    """A job's folder: its paths, and the only ways to write into it.

    `job.json` has one writer at a time (launch, then the keeper), `gpu.jsonl` one for ever (the keeper). Keeper and
    worker both write `status.json`: each changes only the fields that it names, under a lock, and the last writer of a
    field wins. Every write fails with `Unreachable` while `job.json` cannot be looked up, and with `JobGone` once it
    has not been there for `GONE_AFTER` seconds; fields of the status that could not be written go with the next write.

    Who holds it (`hold`: keeper, worker, a viewer that follows it) notices where it is moved on its disk, and
    continues there: `path` is where it lies now.

    Args:
        path: the folder, existing or not.

    Attributes:
        path: the folder.
        former: where it lay before, oldest first.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.former: list[Path] = []
        self._held: _Held | None = None
        self._moving = threading.Lock()
        self._lies(Path(path).absolute())
        self._progress_written = -PROGRESS_PERIOD
        self._known: dict[str, Any] = {}
        self._unwritten: dict[str, Any] = {}
        self._failed: dict[str, bytes] = {}
        self._seen = False
        self._missing_since: float | None = None

    def _lies(self, path: Path) -> None:
        self.path = path
        base = os.fspath(path)
        self._job = f"{base}/job.json"
        self._status = f"{base}/status.json"
        self._lock = f"{base}/.status.lock"
        self._requests = f"{base}/requests"

    def hold(self) -> None:
        """Notices from now on where the folder is moved. Takes a descriptor, until this object is gone."""
        if self._held is None:
            try:
                self._held = _Held(self.path)
            except OSError:
                pass  # it is not there, or away: nothing to hold

    def moved(self) -> bool:
        """Whether it lies somewhere else than a moment ago; `path` is that place then."""
        known = self.path
        with self._moving:  # the threads of a worker and of a keeper share this object
            if self.path != known:
                return True
            now = None if self._held is None else self._held.place(known)
            if now is None:
                return False
            self.former.append(known)
            self._lies(now)
            return True

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
                f"Cannot create a folder for the run: {files.reason(error, parent)}",
                where=os.fspath(parent),
                do="Start tunedeck in a folder that you can write to",
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
        """Whether this is a job's folder, as far as can be seen: one that has lost its `job.json` alone still is."""
        for path in (self._job, self._status):
            try:
                os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                pass
            return True
        return False

    def check(self) -> None:
        """Makes sure of the folder before something is written there.

        Raises:
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now; it may be back in a moment.
        """
        try:
            os.stat(self._job)
        except OSError as error:
            if error.errno != errno.ENOENT or not self.moved():
                raise self._absent(error) from error
        self._seen, self._missing_since = True, None

    def reachable(self) -> bool:
        """Whether it can be reached now.

        Raises:
            JobGone: the folder was deleted or moved.
        """
        try:
            self.check()
        except files.Unreachable:
            return False
        return True

    def _absent(self, error: OSError) -> TunedeckError:
        """What it means that `job.json` cannot be looked up. Only one that is not there, for long, is gone.

        For who has seen it before, that is a question of time. Others can only look around: where the folder of all
        runs is away too, that is what is missing, and not this one.
        """
        path = os.fspath(self.path)
        if error.errno != errno.ENOENT:
            self._missing_since = None
        elif self._seen:
            now = time.monotonic()
            self._missing_since = now if self._missing_since is None else self._missing_since
            if now - self._missing_since >= GONE_AFTER:
                return files.gone(path)
        elif os.path.isdir(self.path.parent):
            return files.gone(path)
        return files.Unreachable(
            f"Cannot reach the run's folder: {error.strerror}",
            where=path,
            do="Check its permissions and its mount. What the run has to write is kept until the folder is back",
        )

    def _write(self, write: Callable[[], None]) -> None:
        """Does what writes into the folder; once more where that was moved between two looks."""
        self.check()
        try:
            write()
        except files.JobGone as error:
            if not self.moved():
                raise self._absent(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))) from error
            write()

    def read_job(self) -> dict[str, Any]:
        """The contents of `job.json`.

        Raises:
            BadInput: it is missing or cannot be read.
        """
        job = files.read_json(self._job)
        if job is None and self.moved():
            job = files.read_json(self._job)
        if job is None:
            raise BadInput(
                "Not a run's folder: no readable job.json in it",
                where=os.fspath(self.path),
                do="`tunedeck runs` lists the runs of a workspace",
            )
        self._seen, self._missing_since = True, None
        return job

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Replaces `job.json`, and waits until it is on the disk.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._write(lambda: files.replace(self._job, files.encode(job), durable=True))

    def read_status(self) -> Status:
        """Where the job stands; never raises. A missing or broken file has its `problem` in words."""
        fields = files.read_json(self._status)
        if fields is None and not os.path.exists(self._job) and self.moved():
            fields = files.read_json(self._status)
        if fields is not None:
            return from_json(fields)
        try:
            os.stat(self._job)
        except FileNotFoundError:
            if not os.path.isdir(self.path):
                return Status(problem=f"The run's folder {self.path} is gone: it was deleted or moved.")
        except OSError as error:
            return Status(problem=f"Cannot reach the run's folder {self.path}: {error.strerror}.")
        return Status(problem=f"{self.path}/status.json is missing or unreadable.")

    def write_status(self, **fields: Any) -> None:
        """Changes these fields of `status.json`, and keeps all others.

        Where the file is gone or torn (by a person, or a disk), the others are as this process last wrote them. An
        ending waits until it is on the disk; anything else is atomic, but may be lost in a power cut. What cannot be
        written now goes with the next write.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        wanted = {**self._unwritten, **fields}
        self._unwritten.update(fields)

        def write() -> None:
            with files.locked(self._lock):
                merged = self._merged(wanted)
                files.replace(self._status, files.encode(merged), durable=wanted.get("state") in ENDINGS)

        self._write(write)
        self._written(wanted)

    def insist_on_status(self, **fields: Any) -> None:
        """As `write_status`; on a full disk the file is written over in place, which needs no room.

        For what viewers must see just then: that a run waits for room, or has ended.

        Raises:
            DiskFull: not even that could be done.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        try:
            self.write_status(**fields)
        except files.DiskFull:
            wanted = dict(self._unwritten)
            files.overwrite(self._status, files.encode(self._merged(wanted)))
            self._written(wanted)

    def _written(self, fields: Mapping[str, Any]) -> None:
        """These fields are written; another thread may have failed with others meanwhile."""
        for name, value in fields.items():
            if name in self._unwritten and self._unwritten[name] is value:
                del self._unwritten[name]

    def _merged(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._known = {**(files.read_json(self._status) or self._known), **fields}
        return self._known

    def write_progress(self, step: int, of: int | None, **fields: Any) -> None:
        """Like `write_status(step=, of=, ...)`, but at most twice a second; where it cannot be written, it waits.

        For every step: most calls cost a look at the clock. The last step of all is always written.

        Raises:
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        now = time.monotonic()
        if now - self._progress_written < PROGRESS_PERIOD and step != of:
            return
        self._progress_written = now
        try:
            self.write_status(step=step, of=of, **fields)
        except (files.DiskFull, files.Unreachable):
            pass  # the next step writes it

    def reset_status(self, **fields: Any) -> None:
        """Replaces `status.json` by these fields alone, for a new start, and by the seconds that earlier ones took.

        Raises:
            DiskFull: there is no room; the old contents stay.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._unwritten.clear()

        def write() -> None:
            with files.locked(self._lock):
                before = self.read_status()
                earlier = before.seconds() or before.earlier
                record = {**fields, "earlier": round(earlier, 3)} if earlier else fields
                self._known = record
                files.replace(self._status, files.encode(record), durable=True)

        self._write(write)

    def requested(self) -> tuple[str, ...]:
        """The names in `requests/`; never raises."""
        try:
            return tuple(os.listdir(self._requests))
        except OSError:
            return ()

    def append_event(self, kind: str, message: str, **fields: Any) -> None:
        """Appends to `events.jsonl`: `{"t", "kind", "message", ...fields}`; `t` is now where it is not named.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._append("events.jsonl", {"t": round(time.time(), 3), "kind": kind, "message": message, **fields})

    def append_metric(self, values: Mapping[str, Any]) -> None:
        """Appends to `metrics.jsonl`; `t` (unix seconds) is added where it is missing.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._append("metrics.jsonl", values if "t" in values else {"t": round(time.time(), 3), **values})

    def append_samples(self, record: Mapping[str, Any]) -> None:
        """Appends to `samples.jsonl`.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._append("samples.jsonl", record)

    def append_completions(self, record: Mapping[str, Any], *, most: int = 32 * 2**20) -> None:
        """Appends to `completions.jsonl`, and cuts it to its newer half once it is larger than `most` bytes.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._append("completions.jsonl", record)
        path = self.path / "completions.jsonl"
        with suppress(OSError):
            if path.stat().st_size > most:
                newer = path.read_bytes()[-most // 2 :]
                files.replace(os.fspath(path), newer[newer.find(b"\n") + 1 :], durable=False)

    def append_gpu(self, record: Mapping[str, Any]) -> None:
        """Appends to `gpu.jsonl`. For the keeper alone.

        Raises:
            DiskFull: there is no room.
            JobGone: the folder was deleted or moved.
            Unreachable: it cannot be reached now.
        """
        self._append("gpu.jsonl", record)

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        line = files.encode(record)
        again, self._failed[name] = self._failed.get(name) == line, line
        self._write(lambda: files.append_line(f"{self.path}/{name}", line, again=again))
        del self._failed[name]


class _Held:
    """A folder by a descriptor, which stays with it wherever it is moved on its disk."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def place(self, known: Path) -> Path | None:
        """Where it lies now; None where that is where it was known to be, or where it is there no more."""
        try:
            now = Path(os.readlink(f"/proc/self/fd/{self._descriptor}"))
            if now == known or not os.path.samestat(os.stat(now), os.fstat(self._descriptor)):
                return None
            os.stat(now / "job.json")
        except OSError:  # deleted, or moved to another disk, which is a copy
            return None
        return now


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
    raise TunedeckError("1,000 runs with this name were started within one second", where=os.fspath(parent))
