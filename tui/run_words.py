"""The state of a run in a few words: the header, the list of runs and the headless commands say it alike."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.units import clock, count

if TYPE_CHECKING:
    from core.jobs.status import Status
    from core.jobs.workspaces import ActiveElsewhere

_PLACES, _NAMED = 3, 3
"""Workspaces, and runs of each, that are named."""


def run_outlives(state: str) -> str:
    """What an active run does after its viewer has quit: `keeps running`, `stays paused`, `stays queued`."""
    return f"stays {state}" if state in ("paused", "queued") else "keeps running"


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
        if status.stalled:
            return f"stalled{steps}{elapsed}"
        doing = "comparing" if state == "running" and status.stage and status.phase == "evaluating" else state
        return f"{doing}{steps}{elapsed}"
    taken = status.seconds()
    if taken is not None and status.ended:
        return f"{state} after {clock(taken)}"
    return state


def home_path(path: Path) -> str:
    """A path as people write it: `~/runs` for one in the user's home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)


def active_elsewhere_words(found: Sequence[ActiveElsewhere]) -> str:
    """Where other runs are active: `2 runs are active in ~/other: a, b.`; "" where none is."""
    said = []
    for each in found[:_PLACES]:
        runs = "1 run is" if len(each.runs) == 1 else f"{count(len(each.runs))} runs are"
        names = ", ".join(each.runs[:_NAMED]) + (", …" if len(each.runs) > _NAMED else "")
        said.append(f"{runs} active in {home_path(each.workspace)}: {names}.")
    more = len(found) - _PLACES
    said += [f"More are active in {more} other workspace{'s' * (more != 1)}."] if more > 0 else []
    return " ".join(said)
