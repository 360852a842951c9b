"""The state of a job: what its folder says, checked against the processes that should be running it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.gpu.host import boot_id
from core.jobs import process
from core.jobs.files import JobGone, Unreachable
from core.jobs.folder import JobFolder
from core.jobs.status import (
    DONE,
    ENDINGS,
    FINISHED,
    LEAVING,
    LOST,
    PAUSED,
    QUEUED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    Status,
)

LAUNCH_PATIENCE = 60.0
"""Seconds that a job may take from its folder to its keeper (the data is linked and checked meanwhile)."""
SILENCE = 30.0
"""Seconds without a heartbeat, of a keeper that lives, that are worth a word."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known about a job now.

    Attributes:
        state: one of `core.jobs.status.STATES`.
        detail: a sentence on why, or on what is wrong; "" where there is nothing to say.
        status: the reading that it rests on.
        local: whether the job is this machine's, so that its processes could be looked at.
        heartbeat_age: seconds since the last heartbeat, None if there was none.
        kept: whether a keeper is known to live.
        rebooted: whether it is lost because the machine was restarted.
    """

    state: str
    detail: str
    status: Status
    local: bool = True
    heartbeat_age: float | None = None
    kept: bool = False
    rebooted: bool = False

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state == LOST or self.state in ENDINGS


def standing(folder: JobFolder, *, job: Mapping[str, Any] | None = None, now: float | None = None) -> JobState:
    """Finds out the state of a job; never raises.

    Args:
        folder: the job's folder.
        job: the contents of its `job.json` if the caller has just read them.
        now: unix seconds, for tests.
    """
    now = time.time() if now is None else now
    status = folder.read_status()  # of a folder that was moved, where that is noticed
    try:
        job = folder.read_job() if job is None else job
    except BadInput as error:
        return _without_job(folder, status, str(error), now)
    heartbeat_age = None if status.heartbeat is None else max(0.0, now - status.heartbeat)
    host = job.get("host")
    local = host == os.uname().nodename
    if status.over:
        return JobState(status.state, status.message, status, local, heartbeat_age)
    if not local:
        age = "no heartbeat so far" if heartbeat_age is None else f"last heartbeat {heartbeat_age:.0f} s ago"
        return JobState(_shown(folder, status), f"Runs on {host}; {age}.", status, local, heartbeat_age)
    keeper = process.from_json(job.get("keeper"))
    if keeper is None:
        return _unkept(job, status, heartbeat_age, now)
    if process.is_alive(keeper):
        silent = heartbeat_age is not None and heartbeat_age > SILENCE
        detail = (
            f"No heartbeat for {heartbeat_age:.0f} s: the run's keeper is stopped, or its disk is full."
            if silent
            else ""
        )
        return JobState(_shown(folder, status), detail or status.message, status, local, heartbeat_age, kept=True)
    status = folder.read_status()  # the keeper may have written the ending after the first reading
    if status.over:
        return JobState(status.state, status.message, status, local, heartbeat_age)
    return _orphaned(folder, keeper.boot_id, status, heartbeat_age)


def _without_job(folder: JobFolder, status: Status, problem: str, now: float) -> JobState:
    """Where nothing can be read of what the job is: the folder is gone or away, or has lost its `job.json` alone."""
    heartbeat_age = None if status.heartbeat is None else max(0.0, now - status.heartbeat)
    try:
        folder.check()
        return JobState(LOST, problem, status, True, heartbeat_age)  # it is there, and torn
    except JobGone:
        if not os.path.isdir(folder.path):
            return JobState(LOST, f"The run's folder {folder.path} is gone: it was deleted or moved.", status)
    except Unreachable as error:
        if not os.path.isdir(folder.path):
            return JobState(UNKNOWN, f"{error.what}.", status, True, heartbeat_age)
    if status.over:
        return JobState(status.state, status.message, status, True, heartbeat_age)
    if any(map(process.is_alive, status.processes)) or (heartbeat_age is not None and heartbeat_age < SILENCE):
        words = "Its job.json is missing. The run writes it again as long as it is active."
        return JobState(_shown(folder, status), words, status, True, heartbeat_age, kept=True)
    return JobState(LOST, problem, status, True, heartbeat_age)


def _shown(folder: JobFolder, status: Status) -> str:
    if status.state in (RUNNING, PAUSED, STARTING) and {"stop", "stop-now"} & set(folder.requested()):
        return STOPPING
    if status.state in ENDINGS:
        return STOPPING  # the worker has said how it ends, and is about to
    return status.state or STARTING


def _unkept(job: Mapping[str, Any], status: Status, heartbeat_age: float | None, now: float) -> JobState:
    if status.state == QUEUED:
        return JobState(QUEUED, status.message, status, True, heartbeat_age)
    begun = job.get("created") if status.started is None else status.started
    if isinstance(begun, (int, float)) and abs(now - begun) < LAUNCH_PATIENCE:  # a clock may have been set back
        return JobState(STARTING, status.message, status, True, heartbeat_age)
    return JobState(
        LOST, "It never started: the program that was starting it ended first.", status, True, heartbeat_age
    )


def _orphaned(folder: JobFolder, keeper_boot: str, status: Status, heartbeat_age: float | None) -> JobState:
    if any(map(process.is_alive, status.processes)):  # ranks live on where torchrun was killed, too
        words = "The keeper of this run was killed; the run is still running, without GPU readings."
        return JobState(_shown(folder, status), words, status, True, heartbeat_age)
    if status.state in ENDINGS:
        return JobState(status.state, status.message, status, True, heartbeat_age)
    if LEAVING in status.fields:
        return JobState(STOPPED, status.message or "Stopped on request.", status, True, heartbeat_age)
    if status.phase == DONE and status.stage + 1 >= status.stages:
        return JobState(FINISHED, "The run finished; its keeper had already been killed.", status, True, heartbeat_age)
    rebooted = keeper_boot != boot_id()
    if rebooted:
        words = "The machine was restarted while the run was active."
    else:
        words = "Keeper and worker were killed, so nothing recorded how the run ended."
    words += " What was saved is in its folder; resume it from there."
    return JobState(LOST, words, status, True, heartbeat_age, rebooted=rebooted)
