"""Follows a job from outside, by its folder alone: what is new since the last look, a bounded piece at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core import timestamps
from core.errors import BadInput
from core.jobs.access import read_only
from core.jobs.folder import JobFolder
from core.jobs.state import JobState, standing
from core.jobs.status import UNKNOWN, Status
from core.jobs.tail import LONGEST_LOG_LINE, Tail, objects, parser, with_numbers

_PIECE = 750
"""Lines that are parsed between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Update:
    """What one poll found.

    Attributes:
        status: the last reading of `status.json`.
        state: the job's state, checked against its processes.
        detail: a sentence on the state, or "".
        metrics: new records of `metrics.jsonl`, oldest first; not-finite values are floats again.
        gpu: new records of `gpu.jsonl`.
        events: new records of `events.jsonl`.
        log: new lines of `output.log`, as they are: clean them before they are drawn.
        more: whether more waits to be read now; poll again soon.
        restarted: names of files that were replaced or cut short, and are read from their start again: what was
            gathered of them must be dropped first. (A thinned `gpu.jsonl` is not among them.)
        problem: a sentence if the folder cannot be read, else "".
        read_only: why this user can only look at the job, see `core.jobs.access.read_only`; "" where that is not so.
    """

    status: Status
    state: str
    detail: str
    metrics: list[dict[str, Any]] = field(default_factory=list)
    gpu: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    more: bool = False
    restarted: tuple[str, ...] = ()
    problem: str = ""
    read_only: str = ""

    @property
    def over(self) -> bool:
        """Whether the job has ended and all of it has been read."""
        return not self.more and self.state in ("finished", "stopped", "failed", "lost")

    @property
    def empty(self) -> bool:
        """Whether no file has anything new; the state may have changed all the same."""
        return not (self.metrics or self.gpu or self.events or self.log or self.restarted)


class Follower:
    """Reads a job's folder again and again; any number of them may follow one job.

    Args:
        folder: the job's folder.
        log_bytes: how much of a log that is there already is read, from its end.
        gpu_bytes: the same for `gpu.jsonl`; None for all of it.
    """

    def __init__(self, folder: JobFolder, *, log_bytes: int | None = 1 << 18, gpu_bytes: int | None = 1 << 22) -> None:
        self.folder = folder
        self._metrics = Tail(folder.metrics)
        self._gpu = Tail(folder.gpu, gpu_bytes)
        self._events = Tail(folder.events)
        self._log = Tail(folder.log, log_bytes, longest=LONGEST_LOG_LINE)
        self._restarts: dict[str, int] = {}
        self._last_gpu = self._seen_until = 0.0
        self._gpu_restarts = 0
        self._parse = parser()
        self._job: Mapping[str, Any] | None = None
        self._job_stamp: tuple[int, int] | None = None
        self._last: JobState | None = None
        self._read_only = ""

    @property
    def begun(self) -> bool:
        """Whether any metric was read yet."""
        return self._metrics.offset > 0

    @property
    def part_read(self) -> float:
        """The part of `metrics.jsonl` that was read, 0 to 1."""
        return self._metrics.offset / max(1, self._metrics.offset + self._metrics.behind)

    @property
    def skipped_log_bytes(self) -> int:
        """Bytes at the start of the log that were not read, because it was long when it was first looked at."""
        return self._log.skipped

    def poll(self, max_records: int = 2_000, max_seconds: float = 0.05) -> Update:
        """What is new; never raises, and never works much longer than it may.

        Args:
            max_records: at most so many lines of all files together.
            max_seconds: after so long nothing more is read.
        """
        deadline = time.monotonic() + max_seconds
        now = self._standing()
        tails = (self._events, self._log, self._metrics, self._gpu)
        gathered: dict[Tail, list[Any]] = {tail: [] for tail in tails}
        left = max_records
        for tail in tails:
            while left > 0:
                lines = tail.read(min(_PIECE, left))
                left -= len(lines)
                gathered[tail] += self._decode(tail, lines)
                if not tail.behind or time.monotonic() >= deadline:
                    break
        return Update(
            status=now.status,
            state=now.state,
            detail=now.detail,
            metrics=gathered[self._metrics],
            gpu=gathered[self._gpu],
            events=gathered[self._events],
            log=gathered[self._log],
            more=left <= 0 or any(tail.behind for tail in tails),
            restarted=self._restarted(),
            problem=now.status.problem,
            read_only=self._read_only,
        )

    def _decode(self, tail: Tail, lines: list[bytes]) -> list[Any]:
        if tail is self._log:
            return [_last_print(line) for line in lines]
        records = objects(lines, self._parse)
        if tail is self._metrics:
            if any(b'nan"' in line or b'inf"' in line for line in lines):
                return [with_numbers(record) for record in records]
            return records
        if tail is self._gpu:
            return self._new_samples(records)
        return records

    def _new_samples(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Samples that were not seen yet: the keeper replaces the file by a thinner one every hour.

        Only then are they told by their time: a clock that is set back must not stop the gauges.
        """
        if self._gpu.restarts != self._gpu_restarts:
            self._gpu_restarts, self._seen_until = self._gpu.restarts, self._last_gpu
        found = []
        for record in records:
            moment = timestamps.seconds(record.get("t"))
            if moment is not None and moment > self._seen_until and _is_sample(record):
                self._last_gpu, self._seen_until = moment, 0.0
                found.append(record)
        return found

    def _restarted(self) -> tuple[str, ...]:
        names = []
        for tail in (self._metrics, self._events, self._log):
            name = os.path.basename(tail.path)
            if tail.restarts != self._restarts.get(name, 0):
                self._restarts[name] = tail.restarts
                names.append(name)
        return tuple(names)

    def _standing(self) -> JobState:
        try:
            found = os.stat(self.folder.job)
            stamp = (found.st_mtime_ns, found.st_ino)
        except OSError:
            if self.folder.moved():
                for tail in (self._metrics, self._gpu, self._events, self._log):
                    tail.path = os.fspath(self.folder.path / os.path.basename(tail.path))
                return self._standing()
            self._job = self._job_stamp = None
            now = standing(self.folder)
            if now.state == UNKNOWN and self._last is not None:  # it continues from here when it is back
                status = replace(self._last.status, problem=now.detail)
                now = replace(self._last, detail=now.detail, status=status)
            return now
        if stamp != self._job_stamp:  # it holds the whole recipe, and changes twice in its life
            self._job = _job(self.folder)
            self._job_stamp = stamp
            self._read_only = read_only(self.folder)
        self._last = standing(self.folder, job=self._job)
        if not self._last.over:
            self.folder.hold()
        return self._last


def _job(folder: JobFolder) -> Mapping[str, Any] | None:
    try:
        return folder.read_job()
    except BadInput:
        return None


def _last_print(line: bytes) -> str:
    """What a terminal would show of a line: a progress bar prints over itself after each carriage return."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    return text.rpartition("\r")[2]


def _is_sample(record: Mapping[str, Any]) -> bool:
    """Whether a line of `gpu.jsonl` has the shape of one: a broken disk or another program may have written it."""
    gpus, devices, worker = record.get("gpus"), record.get("devices"), record.get("worker")
    if worker is not None and not (isinstance(worker, Mapping) and isinstance(worker.get("pids", []), list)):
        return False
    return all(part is None or isinstance(part, list) for part in (gpus, devices))
