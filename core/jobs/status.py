"""The status of a job as `status.json` has it; `core.jobs.state` finds out whether it is still true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import timestamps
from core.jobs import process
from core.jobs.process import Identity
from core.units import count

QUEUED = "queued"
STARTING = "starting"
RUNNING = "running"
PAUSED = "paused"
STOPPING = "stopping"
FINISHED = "finished"
STOPPED = "stopped"
FAILED = "failed"
LOST = "lost"
UNKNOWN = "unknown"
"""Its folder cannot be reached: like `lost` found out by readers, and no ending."""

STATES = (QUEUED, STARTING, RUNNING, PAUSED, STOPPING, FINISHED, STOPPED, FAILED, LOST, UNKNOWN)
ENDINGS = (FINISHED, STOPPED, FAILED)
"""States after which nothing more happens; `lost` is found out by readers and never written."""

DONE = "done"
"""The phase that a worker writes as its last act before it exits 0. It counts where no keeper saw the exit."""
LEAVING = "leaving"
"""The field in which a worker that was asked to end writes its exit code, likewise."""


@dataclass(frozen=True, slots=True)
class Status:
    """One reading of `status.json`. What is missing or of a wrong type has its default.

    Attributes:
        state: one of `STATES`, or "" where the file cannot be read.
        phase: what is being done, in a few words: `loading`, `training`, `Building the training set`.
        step: optimizer steps (or samples) done, None where nothing is counted.
        of: the number of steps in all.
        message: a sentence for the user; for an ending, its reason.
        heartbeat: unix seconds of the keeper's last heartbeat.
        started: unix seconds of its last start.
        earlier: seconds that it took in the starts before that one.
        ended: unix seconds, None while the job is active.
        exit_code: of the worker, None while it runs or where a signal ended it.
        signal: the number of the signal that ended the worker.
        worker: the worker of the current stage.
        stage: which of the job's stages runs, from 0.
        stages: how many there are.
        fields: everything in the file, other fields included, such as `unit`: what `step` and `of` count.
        problem: a sentence if the file cannot be read, else "".
    """

    state: str = ""
    phase: str = ""
    step: int | None = None
    of: int | None = None
    message: str = ""
    heartbeat: float | None = None
    started: float | None = None
    earlier: float = 0.0
    ended: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    worker: Identity | None = None
    stage: int = 0
    stages: int = 1
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def doing(self) -> str:
        """What is being done and how far it is: `Building the training set: 42,043 of 46,375 rows`."""
        unit = self.fields.get("unit")
        counted = f": {count(self.step or 0)} of {count(self.of)}" if self.of else ""
        return f"{self.phase}{counted}{f' {unit}' if counted and isinstance(unit, str) and unit else ''}"

    @property
    def processes(self) -> list[Identity]:
        """The worker and its ranks, wherever they run or ran."""
        named = self.fields.get("ranks")
        ranks = [process.from_json(one) for one in named] if isinstance(named, list) else []
        return [one for one in dict.fromkeys((self.worker, *ranks)) if one is not None]

    @property
    def over(self) -> bool:
        """Whether the file tells of an ending that is complete: a worker says `failed`, and has yet to be gone."""
        if self.state not in ENDINGS:
            return False
        return self.ended is not None or type(self.fields.get("ended")) in (
            int,
            float,
        )  # that cannot be read, but is there

    @property
    def stalled(self) -> bool:
        """Whether its keeper has seen it stall (`core.jobs.stall`), and it has made no step since."""
        found = self.fields.get("stalled")
        if self.state not in (RUNNING, STOPPING) or not isinstance(found, Mapping):
            return False
        return found.get("step") == (self.step or 0)

    def seconds(self, now: float | None = None) -> float | None:
        """Seconds that the job has taken in all its starts together; None where it never began.

        Args:
            now: unix seconds, for an active job; else until it ended, or until its last heartbeat.
        """
        if self.started is None:
            return None
        until = self.ended or now or self.heartbeat or self.started
        return self.earlier + max(0.0, until - self.started)


def from_json(value: Mapping[str, Any]) -> Status:
    """A status from the object in `status.json`."""
    state = _text(value, "state")
    return Status(
        state=state if state in STATES else "",
        phase=_text(value, "phase"),
        step=_whole(value, "step"),
        of=_whole(value, "of"),
        message=_text(value, "message"),
        heartbeat=timestamps.seconds(value.get("heartbeat")),
        started=timestamps.seconds(value.get("started")),
        earlier=timestamps.seconds(value.get("earlier")) or 0.0,
        ended=timestamps.seconds(value.get("ended")),
        exit_code=_whole(value, "exit_code"),
        signal=_whole(value, "signal"),
        worker=process.from_json(value.get("worker")),
        stage=_whole(value, "stage") or 0,
        stages=_whole(value, "stages") or 1,
        fields=value,
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _whole(value: Mapping[str, Any], name: str) -> int | None:
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
