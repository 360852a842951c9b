"""The state of a run in a few words: the header, the list of runs and the headless commands say it alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.units import clock, count

if TYPE_CHECKING:
    from core.jobs.status import Status


def run_words(state: str, status: Status, *, progress: bool = True) -> str:
    """State and progress: `running 1,240 of 3,000  0:41:07`, `finished in 0:58:12`.

    Args:
        state: the run's state.
        status: the reading that it rests on.
        progress: whether the steps are said too.
    """
    if state in ("running", "starting", "stopping", "paused"):
        taken = status.seconds(time.time())
        elapsed = "" if taken is None else f"  {clock(taken)}"
        steps = f" {count(status.step or 0)} of {count(status.of)}" if status.of and progress else ""
        return f"{state}{steps}{elapsed}"
    taken = status.seconds()
    if taken is not None and status.ended:
        return f"{state} after {clock(taken)}"
    return state
