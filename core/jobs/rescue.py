"""A new folder for what a job would lose, where its own was deleted or cannot be reached at its end."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import TunedeckError
from core.jobs.folder import JobFolder
from core.paths import state_dir

_MARGIN = 16 << 20
_ABOUT_A_START = ("at_end", "resume")
"""Parts of a payload that belong to the job that was started, not to what is left of it."""


def new_folders(lost: Path, job: Mapping[str, Any], needs: int) -> Iterator[JobFolder]:
    """Makes a job's folder in each place that can be written to and has room: whoever needs no other stops asking.

    First beside the lost folder, where the list of runs finds it; then in the user's state folder; then in the
    system's folder for temporary files.

    Args:
        lost: the job's own folder.
        job: the contents of its `job.json`.
        needs: bytes that will be written.
    """
    payload = {name: value for name, value in (job.get("payload") or {}).items() if name not in _ABOUT_A_START}
    for parent in (lost.parent, *_elsewhere()):
        try:
            if parent != lost.parent:
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (parent.is_dir() if parent == lost.parent else _is_own(parent)):
                continue
            if shutil.disk_usage(parent).free < needs + _MARGIN:
                continue
            name = str(job.get("name") or lost.name)
            found = JobFolder.create(parent, f"{name} rescued", str(job.get("kind") or ""), payload=payload)
            found.write_job({**found.read_job(), "name": f"{name} (rescued)", "rescued_from": os.fspath(lost)})
        except (OSError, TunedeckError):
            continue
        yield found


def rescued() -> list[Path]:
    """The folders that were made outside of a workspace, where no list of runs finds them."""
    return sorted(path for parent in _elsewhere() if _is_own(parent) for path in parent.iterdir())


def _elsewhere() -> tuple[Path, Path]:
    return state_dir() / "rescued", Path(tempfile.gettempdir()) / f"tunedeck-rescued-{os.getuid()}"


def _is_own(parent: Path) -> bool:
    """Whether a folder is there and is this user's own: in places for temporary files everybody may make one."""
    try:
        found = parent.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
