"""The workspaces that this user has used, on all machines that share a home: where `tunedeck runs --all` looks.

An index in the user's state folder: `workspaces/HOST/NAME`, one small file for each workspace, whose name is a digest
of the path that it holds. So programs and machines add to it without a lock, and each machine removes only its own
entries: a path that is missing here may be another machine's disk. An index that cannot be written is no error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import TunedeckError
from core.jobs import files
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.jobs.status import PAUSED, QUEUED, RUNNING, STARTING, STOPPING
from core.paths import runs_dir, state_dir

ACTIVE = (QUEUED, STARTING, RUNNING, PAUSED, STOPPING)
"""States of a run that has not ended."""

_AGAIN_AFTER = 86_400.0
"""Seconds after which the time of last use is written again."""
_FORGOTTEN_AFTER = 30 * 86_400.0
"""Seconds for which a workspace on a disk that is away is remembered."""


@dataclass(frozen=True, slots=True)
class ActiveElsewhere:
    """A workspace with active runs.

    Attributes:
        workspace: the folder.
        runs: ids of its active runs, the newest first.
    """

    workspace: Path
    runs: tuple[str, ...]


def remember(workspace: Path) -> None:
    """Notes that this user uses a workspace; never raises."""
    import hashlib

    path = os.path.realpath(workspace)
    entry = _index() / _host() / hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    try:
        if time.time() - entry.stat().st_mtime < _AGAIN_AFTER:
            return
    except OSError:
        pass
    try:
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(os.fspath(entry), os.fsencode(path), durable=False)
    except (OSError, TunedeckError):
        return


def known() -> list[Path]:
    """The workspaces that are there, the one that was used last first; this machine's that were deleted are removed."""
    found: dict[Path, float] = {}
    for entry, used in _entries():
        try:
            path = Path(os.fsdecode(entry.read_bytes()))
        except OSError:
            continue
        if path.is_absolute() and path.is_dir():
            found[path] = max(used, found.get(path, 0.0))
        elif entry.parent.name == _host() and (path.parent.is_dir() or time.time() - used > _FORGOTTEN_AFTER):
            try:
                entry.unlink()
            except OSError:
                continue
    return sorted(found, key=lambda path: found[path], reverse=True)


def active_elsewhere(workspace: Path) -> list[ActiveElsewhere]:
    """The other known workspaces in which runs are active; never raises."""
    here = os.path.realpath(workspace)
    found = [ActiveElsewhere(path, active_runs(path)) for path in known() if os.fspath(path) != here]
    return [each for each in found if each.runs]


def active_runs(workspace: Path) -> tuple[str, ...]:
    """The ids of the active runs of a workspace, the newest first; never raises."""
    try:
        with os.scandir(runs_dir(workspace)) as entries:
            paths = sorted((each.path for each in entries if not each.name.startswith(".")), reverse=True)
    except OSError:
        return ()
    folders = [folder for folder in map(JobFolder, paths) if not folder.read_status().over and folder.exists()]
    return tuple(folder.id for folder in folders if standing(folder).state in ACTIVE)


def _entries() -> Iterator[tuple[Path, float]]:
    for entry in _index().glob("*/*"):
        try:
            used = entry.stat().st_mtime
        except OSError:
            continue
        if entry.suffix != ".tmp":
            yield entry, used


def _index() -> Path:
    return state_dir() / "workspaces"


def _host() -> str:
    return os.uname().nodename.replace("/", "_") or "localhost"
