"""Derived jobs: their result follows from their input, so an existing result is used, and each is computed once.

A scan, a view, an overview, token counts: whoever wants one names its input and gets the job that has it, computes it
now, or begins to. Looking, starting and stopping take turns under one lock for each folder of jobs, so that two
viewers that want the same thing at the same moment get one job. Where a file system has no locks, both still look
first, but the moment between looking and starting is not covered.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.jobs import files, launch, requests
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.jobs.status import FINISHED
from core.paths import hidden_dir

Stages = Callable[[JobFolder], Sequence[Sequence[str]]]
"""The commands of a job, given its folder; see `core.jobs.launch.launch`."""

_KEY_BYTES = 6
_LOCK = ".derived.lock"
_LAUNCH_PATIENCE = 40.0
"""Seconds to wait for the lock: a launch, which waits for its keeper up to 30 s, holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A job that is found or started.

    Attributes:
        workspace: the folder that holds `.tunedeck`.
        name: what the job's folder is called, before its key: `scan` of `scan-0a1b2c3d4e5f`.
        key: changes with everything that the result depends on, see `digest`.
        kind: of the job, in `job.json`.
        payload: what the worker is told.
        stages: its commands.
        env: variables for the workers.
        holds_result: whether the result is in the job's folder, so that a finished job is as good as a new one; if
            not, the caller looks for the result elsewhere and only a running job is found.
        can_resume: whether a job that ended early, given its folder, has left something to resume from.
        kept: how many older jobs of this name stay when one is added; 0 keeps all.
    """

    workspace: Path
    name: str
    key: str
    kind: str
    payload: Mapping[str, Any]
    stages: Stages
    env: Mapping[str, str] = field(default_factory=dict)
    holds_result: bool = True
    can_resume: Callable[[Path], bool] = lambda _: False
    kept: int = 0

    def folders(self) -> Iterator[JobFolder]:
        """All jobs of this key, the newest first, however they ended."""
        return map(JobFolder, sorted(self._parent.glob(f"*-{self.name}-{self.key}*"), reverse=True))

    def find(self) -> JobFolder | None:
        """The newest job that has the result, or computes it now; None if there is none."""
        for folder in self.folders():
            now = standing(folder)
            if not now.over or (self.holds_result and now.state == FINISHED):
                return folder
        return None

    def running(self) -> JobFolder | None:
        """The job that computes the result now, or None."""
        return next((folder for folder in self.folders() if not standing(folder).over), None)

    def start(self) -> JobFolder:
        """The job that has the result or computes it; resumed or started where there is none. Blocks for some 0.2 s.

        Raises:
            TunedeckError: it cannot be started, with the reason.
        """
        found = self.find()  # without the lock: in a folder that is read-only, a result can still be shown
        if found is None:
            with self._lock():
                found = self.find()
                if found is None:
                    folder = next((each for each in self.folders() if self.can_resume(each.path)), None)
                    folder = folder or self._create()
                    launch.launch(folder, self.stages(folder), env=self.env, payload=self.payload)
                    return folder
        with suppress(OSError):
            os.utime(found.path)  # in use: it stays when older ones are removed
        return found

    def keep(self, write: Callable[[JobFolder], object]) -> JobFolder:
        """Keeps a result that was computed without a job, as if a job had; nothing is run.

        Args:
            write: writes the result into the job's folder; not called if a job has it or computes it already.

        Raises:
            TunedeckError: it cannot be written, with the reason.
        """
        with self._lock():
            found = self.find()
            if found is not None:
                return found
            folder = self._create()
            try:
                write(folder)
                folder.write_status(state=FINISHED, ended=time.time())
            except BaseException:
                shutil.rmtree(folder.path, ignore_errors=True)
                raise
        return folder

    def _create(self) -> JobFolder:
        if self.kept:
            for path in sorted(self._parent.glob(f"*-{self.name}-*"), reverse=True)[self.kept :]:
                if standing(JobFolder(path)).over:
                    shutil.rmtree(path, ignore_errors=True)
        return JobFolder.create(self._parent, f"{self.name}-{self.key}", self.kind, payload=self.payload)

    @property
    def _parent(self) -> Path:
        return hidden_dir(self.workspace) / "jobs"

    def _lock(self) -> AbstractContextManager[None]:
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"Cannot create a folder for the job: {files.reason(error, self._parent)}",
                where=os.fspath(self._parent),
                do="Start tunedeck in a folder that you can write to",
            ) from error
        return _locked(self._parent)


def stop(folder: JobFolder) -> None:
    """Asks a derived job to stop, once nobody is starting it any more; one that has ended is left as it is.

    Raises:
        DiskFull, JobGone: the request cannot be written.
    """
    with _locked(folder.path.parent):  # a request that comes during a launch would be cleared by it
        if not standing(folder).over:
            with suppress(BadInput):  # it has just ended by itself
                requests.ask(folder, requests.STOP)


def one_stage(module: str) -> Stages:
    """One of our modules as the only stage, in the interpreter that runs now: for work without a training stack."""
    return lambda folder: [launch.worker_command(module, folder, python=sys.executable)]


def digest(parts: Any) -> str:
    """Twelve characters that change with a value, which JSON must have a form for."""
    said = json.dumps(parts, sort_keys=True).encode()
    return hashlib.blake2b(said, digest_size=_KEY_BYTES).hexdigest()


def _locked(parent: Path) -> AbstractContextManager[None]:
    return files.locked(os.fspath(parent / _LOCK), _LAUNCH_PATIENCE)
