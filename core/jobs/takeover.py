"""A new keeper for a worker whose keeper was killed, and for a run of whose end nobody was notified."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from core.errors import BadInput
from core.gpu.host import boot_id
from core.jobs import process
from core.jobs.at_end import CLAIM, wanted
from core.jobs.children import KEEPER_PYTHON, STAGES, read_stages, relocated, write_stages
from core.jobs.detach import detach
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, of_no_launcher
from core.jobs.process import Identity
from core.jobs.queue import queue_of
from core.jobs.runs import RunInfo
from core.jobs.state import standing
from core.jobs.trust import refusal

AGAIN_AFTER = 10.0
"""Seconds after which another keeper is tried where one did not stay."""
_PATIENCE = 30.0


class KeeperTakeover:
    """A worker's look at its own keeper: one that was killed gets a successor.

    Where there is none (a worker that was started by hand) or it lives on another machine, nothing happens.

    Args:
        folder: the job's folder.
        environment: of the worker, as its keeper started it; the next one gets the same, and by it knows the stages.
    """

    def __init__(self, folder: JobFolder, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = of_no_launcher(environment)
        self._keeper: Identity | None = None
        self._next_try = 0.0

    def look(self) -> None:
        """Starts another keeper if the last one is gone; some 30 us while it lives."""
        if process.is_alive(self._keeper) or time.monotonic() < self._next_try:
            return
        self._read()
        if self._keeper is None or self._keeper.boot_id != boot_id() or process.is_alive(self._keeper):
            return
        stages = write_stages(relocated(read_stages(self._environment), self._folder))
        _start(self._folder, "--take-over", {**self._environment, STAGES: stages})
        self._read()
        # Where it did not start, or found nothing to keep: a start twice a second would cost more than it could help.
        self._next_try = 0.0 if process.is_alive(self._keeper) else time.monotonic() + AGAIN_AFTER

    def _read(self) -> None:
        """Finds out who the keeper is; nobody where the folder is gone."""
        job: dict[str, Any] = {}
        with suppress(BadInput):
            job = self._folder.read_job()
        self._keeper = process.from_json(job.get("keeper"))


def notify_unseen_ends(runs: Iterable[RunInfo]) -> None:
    """Notifies of ends that no keeper was left to notify of: it was killed with its worker, or the machine restarted.

    Called where the user starts or resumes something in the workspace, and by the queue's runner; never on a mere look.
    Each end is notified once. Some 0.2 s for each of them.

    Args:
        runs: of any state; those with `end_unseen`, of this user's own, are seen to.
    """
    for folder in [JobFolder(run.folder) for run in runs if run.end_unseen]:
        if _unnotified(folder):
            _start(folder, "--notify", clean_environment())


def _unnotified(folder: JobFolder) -> bool:
    try:
        job = folder.read_job()
    except BadInput:
        return False
    payload = job.get("payload")
    if not isinstance(payload, dict) or not wanted(payload).agreed or not job.get("keeper"):
        return False
    if refusal(folder) is not None:
        return False
    now = standing(folder, job=job)
    if not now.over or not now.local or now.status.over or os.path.exists(folder.path / CLAIM):
        return False
    # What a reboot has ended, the queue begins again.
    return not (now.rebooted and any(entry.id == folder.id for entry in queue_of(folder).read().entries))


def _start(folder: JobFolder, how: str, environment: Mapping[str, str]) -> None:
    words = [os.fspath(folder.path), how]
    with suppress(OSError, subprocess.TimeoutExpired):  # job.json says whether there is one now
        python = environment.get(KEEPER_PYTHON)
        detach("core.jobs.keeper", words, folder.keeper_log, environment, patience=_PATIENCE, python=python)
