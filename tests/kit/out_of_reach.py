"""A folder that cannot be found for a while, as when its disk is not mounted; to move it is something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_JOB, _HIDDEN = "job.json", "job.json.out-of-reach"


def take_away(place: Path) -> Callable[[], Path]:
    """Takes a folder out of reach, also of those who hold it: the runs in it are none there.

    Returns:
        Brings it back, and returns it.
    """
    aside = place.with_name("aside")
    place.rename(aside)
    hidden = [job.rename(job.with_name(_HIDDEN)) for job in aside.rglob(_JOB)]

    def back() -> Path:
        for job in hidden:
            job.rename(job.with_name(_JOB))
        return aside.rename(place)

    return back
