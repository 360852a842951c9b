"""Where a command that only reads may write: its workspace, or a temporary one that is removed at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from core.paths import hidden_dir

_PREFIX = "tunedeck-reading-"


def reading_workspace(wanted: Path | None = None) -> Path:
    """The folder itself where it is a workspace (it has a `.tunedeck`); else a temporary one, so that nothing is left.

    Args:
        wanted: the folder; the current one by default.

    Raises:
        OSError: there is no room for a temporary folder.
    """
    here = wanted or Path.cwd()
    return here if hidden_dir(here).is_dir() else Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """Removed when the program exits. Not in `/tmp`, which is in memory on many machines: it may be gigabytes."""
    place = os.environ.get("TMPDIR") or "/var/tmp"
    remove_abandoned(Path(place))
    return tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)


def remove_abandoned(place: Path) -> None:
    """Remove this user's temporary workspaces whose process was killed before it could remove them."""
    for folder in place.glob(f"{_PREFIX}*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            gone = process.isdigit() and not Path(f"/proc/{process}").exists()
            if gone and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another process has just removed it
