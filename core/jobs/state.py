"""The state of a job: what its folder says, checked against the processes that should be behind it."""

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
class Standing:
    """What is known about a job now.

    Attributes:
        state: one of `core.jobs.status.STATES`.
        detail: a sentence on why, or on what is wrong; "" where there is nothing to say.
        status: the reading that it rests on.
        local: whether the job is this machine's, so that its processes could be looked at.
        heard: seconds since the last heartbeat, None if there was none.
        kept: whether a keeper is known to live.
        rebooted: whether it is lost because the machine was restarted.
    """

    state: str
    detail: str
    status: Status
    local: bool = True
    heard: float | None = None
    kept: bool = False
    rebooted: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state == LOST or self.state in ENDINGS


def standing(folder: JobFolder, *, job: Mapping[str, Any] | None = None, now: float | None = None) -> Standing:
    """Finds out how a job stands; never raises.

    Args:
        folder: the job's folder.
        job: the contents of its `job.json` if the caller has just read them.
        now: unix seconds, for tests.
    """
    now = time.time() if now is None else now
    status = folder.read_status()
    try:
        job = folder.read_job() if job is None else job
    except BadInput as error:
        return _without_job(folder, status, str(error), now)
    heard = None if status.heartbeat is None else max(0.0, now - status.heartbeat)
    host = job.get("host")
    local = host == os.uname().nodename
    if status.over:
        return Standing(status.state, status.message, status, local, heard)
    if not local:
        age = "never heard from" if heard is None else f"not heard from for {heard:.0f} s"
        return Standing(_shown(folder, status), f"It runs on {host}; {age}.", status, local, heard)
    keeper = process.from_json(job.get("keeper"))
    if keeper is None:
        return _unkept(job, status, heard, now)
    if process.is_alive(keeper):
        silent = heard is not None and heard > SILENCE
        detail = (
            f"The keeper has written nothing for {heard:.0f} s: it is stopped, or its disk is full." if silent else ""
        )
        return Standing(_shown(folder, status), detail or status.message, status, local, heard, kept=True)
    status = folder.read_status()  # the keeper may have written the ending after the first reading
    if status.over:
        return Standing(status.state, status.message, status, local, heard)
    return _orphaned(folder, keeper.boot_id, status, heard)


def _without_job(folder: JobFolder, status: Status, problem: str, now: float) -> Standing:
    """Where nothing can be read of what the job is: the folder is gone or away, or has lost its `job.json` alone."""
    heard = None if status.heartbeat is None else max(0.0, now - status.heartbeat)
    try:
        folder.check()
        return Standing(LOST, problem, status, True, heard)  # it is there, and torn
    except JobGone:
        if not os.path.isdir(folder.path):
            return Standing(LOST, f"The run's folder {folder.path} is gone: it was deleted or moved.", status)
    except Unreachable as error:
        if not os.path.isdir(folder.path):
            return Standing(UNKNOWN, f"{error.what}.", status, True, heard)
    if status.over:
        return Standing(status.state, status.message, status, True, heard)
    if any(map(process.is_alive, status.processes)) or (heard is not None and heard < SILENCE):
        words = "Its job.json is missing; a run that continues writes it again."
        return Standing(_shown(folder, status), words, status, True, heard, kept=True)
    return Standing(LOST, problem, status, True, heard)


def _shown(folder: JobFolder, status: Status) -> str:
    if status.state in (RUNNING, PAUSED, STARTING) and {"stop", "stop-now"} & set(folder.requested()):
        return STOPPING
    if status.state in ENDINGS:
        return STOPPING  # the worker has said how it ends, and is about to
    return status.state or STARTING


def _unkept(job: Mapping[str, Any], status: Status, heard: float | None, now: float) -> Standing:
    if status.state == QUEUED:
        return Standing(QUEUED, status.message, status, True, heard)
    begun = job.get("created") if status.started is None else status.started
    if isinstance(begun, (int, float)) and abs(now - begun) < LAUNCH_PATIENCE:  # a clock may have been set back
        return Standing(STARTING, status.message, status, True, heard)
    return Standing(LOST, "It was never started: whoever wanted to start it ended before.", status, True, heard)


def _orphaned(folder: JobFolder, keeper_boot: str, status: Status, heard: float | None) -> Standing:
    if any(map(process.is_alive, status.processes)):  # ranks live on where torchrun was killed, too
        words = "The keeper of this run was killed; the worker goes on by itself, without GPU readings."
        return Standing(_shown(folder, status), words, status, True, heard)
    if status.state in ENDINGS:
        return Standing(status.state, status.message, status, True, heard)
    if LEAVING in status.fields:
        return Standing(STOPPED, status.message or "Stopped as asked.", status, True, heard)
    if status.phase == DONE and status.stage + 1 >= status.stages:
        return Standing(FINISHED, "The worker came to its end; its keeper had been killed before.", status, True, heard)
    rebooted = keeper_boot != boot_id()
    if rebooted:
        words = "The machine was restarted while the run was going on."
    else:
        words = "Keeper and worker are gone and left no ending: both were killed."
    words += " What was saved is in its folder; start it again from there."
    return Standing(LOST, words, status, True, heard, rebooted=rebooted)
