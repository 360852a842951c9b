"""The training worker, whose folder is away from one step to another: `away_training FOLDER`, told by variables.

Once the loss of step `AWAY_FROM` is logged, the place `AWAY_WHAT` (`run`; `runs`: the folder of all runs; `locked`: the
run, with a link in its place that leads to itself, so that whoever looks hears of another fault than a missing file)
is taken out of reach, and brought back once that of step `AWAY_TO` is; where there is no such step, it stays away.
`AWAY_STOP`: the run is asked to stop just then, by SIGTERM. `AWAY_GONE_AFTER` is how many seconds it must be away to
count as deleted, or as away for too long at the end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.engine.worker import Worker
from core.jobs import folder as folders
from core.training import run
from tests.kit.out_of_reach import take_away


def main(argv: Sequence[str]) -> int:
    """Trains through it."""
    start, end = int(os.environ["AWAY_FROM"]), int(os.environ.get("AWAY_TO", "0"))
    folders.GONE_AFTER = float(os.environ.get("AWAY_GONE_AFTER", folders.GONE_AFTER))
    what = os.environ["AWAY_WHAT"]
    place = Path(argv[0]).parent if what == "runs" else Path(argv[0])
    write = Worker.metric
    back: list[Callable[[], Path]] = []

    def metric(self: Worker, values: Mapping[str, Any]) -> None:
        write(self, values)
        if "loss" in values and values["step"] == start:
            back.append(take_away(place))
            if what == "locked":
                place.symlink_to(place)
            if "AWAY_STOP" in os.environ:
                os.kill(os.getpid(), signal.SIGTERM)
        elif "loss" in values and values["step"] == end:
            place.unlink(missing_ok=True)
            back.pop()()

    Worker.metric = metric  # type: ignore[method-assign]
    return run.main(argv)
