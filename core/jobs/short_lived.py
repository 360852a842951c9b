"""Places whose files do not last: what a machine deletes by age or loses at a restart."""

from __future__ import annotations

import os
import re
from pathlib import Path

_BY_AGE = ("/tmp", "/var/tmp")
_IN_MEMORY = ("tmpfs", "ramfs")
_SCRATCH = re.compile(r"(?i)^(.*[-_.])?scr(atch)?[-_.]?\d*([-_.].*)?$")
"""A folder's name that says so: `scratch`, `scratch1`, `scr`, `gpu_scratch`."""
_VARIABLES = ("SCRATCH", "TMPDIR")


def short_lived(folder: Path, *, mounts: str = "/proc/mounts") -> str:
    """Why files in a folder may vanish, as a sentence; "" where nothing speaks for that.

    Args:
        folder: existing or not.
        mounts: the kernel's list of mounts.
    """
    path = Path(os.path.realpath(folder))
    for place in _BY_AGE:
        if path.is_relative_to(place):
            return f"{folder} is in {place}: many machines delete old files there, or all files at a restart."
    if _kind(path, mounts) in _IN_MEMORY:
        return f"{folder} is in memory: its files use RAM and are lost at a restart."
    for name in _VARIABLES:
        place = os.environ.get(name, "")
        if os.path.isabs(place) and place != "/" and path.is_relative_to(os.path.realpath(place)):
            return f"{folder} is in ${name}: many machines delete old files there."
    for part in path.parts:
        if _SCRATCH.match(part):
            return f"{folder} looks like scratch space ({part}): many machines delete old files there."
    return ""


def _kind(path: Path, mounts: str) -> str:
    """The kind of file system that a path lies on."""
    found, longest = "", -1
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                _, place, kind, *_ = line.split(" ")
                place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place)
                if len(place) >= longest and path.is_relative_to(place):  # of two on one place, the later is on top
                    found, longest = kind, len(place)
    except (OSError, ValueError):
        return ""
    return found
