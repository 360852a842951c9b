"""Starts a job that outlives whoever starts it: writes what is to be done, and detaches the keeper."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from core.errors import BadInput, JobFailed, TunedeckError
from core.jobs import files, process, requests
from core.jobs.children import STAGES, write_stages
from core.jobs.code import code_root
from core.jobs.detach import detach
from core.jobs.folder import JobFolder
from core.jobs.process import Identity
from core.jobs.state import standing
from core.jobs.status import FAILED, QUEUED, STARTING

DATA_PYTHON = "TUNEDECK_DATA_PYTHON"
"""The variable that tells a worker which interpreter reads data files, where its own may not be able to."""

_TAIL = 2_000
_OTHER_LAUNCHERS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_", "ACCELERATE_", "TORCHELASTIC_")
"""Variables of a torchrun or accelerate that we may run under: a trainer would take itself for one of their ranks."""


def worker_command(module: str, folder: JobFolder, *, python: str | None = None) -> list[str]:
    """The command of a stage: a module of ours, run on a job's folder.

    The interpreter is that of `TUNEDECK_PYTHON`, so that training can live in another environment than the viewer;
    by default the one that runs now.

    Args:
        module: such as `core.training`.
        folder: the job's folder.
        python: the interpreter; a scan, which needs no training stack, runs in the viewer's own.
    """
    return [python or worker_python(), "-m", module, os.fspath(folder.path)]


def worker_python() -> str:
    """The interpreter that workers run in."""
    return os.environ.get("TUNEDECK_PYTHON") or sys.executable


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for our own modules in another process: ours is the only `core` that can be found.

    A `core` folder of the user's in the working directory or on PYTHONPATH must not be imported instead, and the GPU
    numbers of CUDA must be those of nvidia-smi.

    Args:
        extra: more variables; they win.
    """
    environment = of_no_launcher(os.environ)
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    root = os.fspath(code_root())
    kept = [entry for entry in given if os.path.isabs(entry) and entry != root]
    environment["PYTHONPATH"] = os.pathsep.join([root, *kept])
    environment["PYTHONSAFEPATH"] = "1"
    environment["PYTHONUNBUFFERED"] = "1"  # the log is read while it is written
    environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # logs and answers are UTF-8, whatever the locale
    environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    environment.pop(STAGES, None)  # those of a run that this process may be a part of
    environment.update(extra or {})
    return environment


def of_no_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables of another launcher."""
    return {name: value for name, value in environment.items() if not name.startswith(_OTHER_LAUNCHERS)}


def launch(
    folder: JobFolder,
    stages: Sequence[Sequence[str]],
    *,
    env: Mapping[str, str] | None = None,
    payload: Mapping[str, Any] | None = None,
    python: str | None = None,
    patience: float = 30.0,
    waits: bool = False,
) -> Identity:
    """Starts a job's stages, detached, and returns when its keeper has taken over. Blocks for some 0.2 s.

    Args:
        folder: the job's folder, as `JobFolder.create` made it; or one whose job is over, to start it again.
        stages: the commands, run one after the other; the first that fails ends the job.
        env: variables for keeper and workers besides those of this process; they are kept in `job.json`.
        payload: replaces that of `job.json`, where a job is started again for something else.
        python: the keeper's interpreter; by default that of `TUNEDECK_KEEPER_PYTHON`, else the one that runs now.
        patience: seconds to wait for the keeper.
        waits: whether the job must be a queued one, as `enqueue` left it.

    Returns:
        The keeper's identity.

    Raises:
        BadInput: the job is already running, another program is starting it, or it is not queued (any more).
        JobFailed: the keeper did not start; the job is marked as failed, with the reason.
        DiskFull, JobGone: the folder cannot be written to.
    """
    with _alone(folder):
        if waits != (folder.read_status().state == QUEUED):
            words = "This run is no longer in the queue" if waits else "This run is queued"
            raise BadInput(words, where=folder.id, do="`tunedeck queue` lists the queue")
        return _launch(folder, stages, env, payload, python, patience)


def enqueue(
    folder: JobFolder,
    stages: Sequence[Sequence[str]],
    *,
    env: Mapping[str, str] | None = None,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Makes a job a queued one. Whoever starts it later makes its commands again; `job.json` only shows them.

    Args:
        folder: the job's folder.
        stages: see `launch`.
        env: see `launch`.
        payload: see `launch`.

    Raises:
        BadInput: the job is already running, or another program is starting it.
        DiskFull, JobGone: the folder cannot be written to.
    """
    with _alone(folder):
        _write_job(folder, stages, env, payload)
        folder.reset_status(state=QUEUED, message="Waiting in the queue.", stages=len(stages))


def _launch(
    folder: JobFolder,
    stages: Sequence[Sequence[str]],
    env: Mapping[str, str] | None,
    payload: Mapping[str, Any] | None,
    python: str | None,
    patience: float,
) -> Identity:
    now = time.time()
    _write_job(folder, stages, env, payload)
    folder.reset_status(state=STARTING, heartbeat=now, started=now, stages=len(stages))
    try:
        return _detach(folder, python, {**(env or {}), STAGES: write_stages(stages)}, patience)
    except TunedeckError as error:
        folder.write_status(state=FAILED, message=str(error), ended=time.time())
        raise


def _write_job(
    folder: JobFolder,
    stages: Sequence[Sequence[str]],
    env: Mapping[str, str] | None,
    payload: Mapping[str, Any] | None,
) -> None:
    job = folder.read_job()
    if job.get("keeper") and not standing(folder, job=job).over:
        raise BadInput("Already running", where=folder.id, do="Attach to it: tunedeck attach")
    job |= {
        "stages": [list(argv) for argv in stages],  # for people to read; nothing runs what a file says
        "env": dict(env or {}),
        "cwd": os.getcwd(),
        "host": os.uname().nodename,
        "user": os.environ.get("USER") or str(os.getuid()),
        "core_path": os.fspath(code_root() / "core"),
        "versions": _versions(),
        "git_commit": _git_commit(),
        "keeper": None,
        "payload": dict(job.get("payload") or {} if payload is None else payload),
    }
    requests.clear(folder)
    folder.write_job(job)


@contextmanager
def _alone(folder: JobFolder) -> Iterator[None]:
    """Two viewers may want to start the same job at once; only one of them may."""
    folder.check()
    lock = files.open_lock(folder.path / ".launch.lock")
    try:
        if not files.try_lock(lock):
            raise BadInput("Another program is starting this run", where=folder.id, do="Attach to it: tunedeck attach")
        yield
    finally:
        os.close(lock)


def _detach(folder: JobFolder, python: str | None, env: Mapping[str, str], patience: float) -> Identity:
    try:
        code = detach(
            "core.jobs.keeper",
            [folder.path],
            folder.keeper_log,
            clean_environment(env),
            patience=patience,
            python=python,
        )
    except OSError as error:
        raise JobFailed(
            f"The run's keeper could not be started: {error.strerror}", where=error.filename or folder.id
        ) from error
    except subprocess.TimeoutExpired:
        code = -1
    keeper = process.from_json(folder.read_job().get("keeper"))
    if code == 0 and keeper is not None:  # this process was only its parent, and ended when it had taken over
        return keeper
    raise JobFailed(
        f"The run's keeper did not start: {_tail(folder) or f'no sign of it within {patience:.0f} s'}",
        where=folder.id,
        do=f"See {folder.keeper_log}",
    )


def _tail(folder: JobFolder) -> str:
    """The last line that the keeper wrote before it gave up."""
    try:
        text = folder.keeper_log.read_bytes()[-_TAIL:].decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _versions() -> dict[str, str]:
    try:
        ours = metadata.version("tunedeck")
    except metadata.PackageNotFoundError:
        ours = "not installed"
    return {"tunedeck": ours, "python": platform.python_version()}


def _git_commit() -> str:
    """The commit of the working directory, "" outside of a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
