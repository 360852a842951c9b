"""What an x axis may count in a run: steps, or a metric that grows with them."""

from __future__ import annotations

from collections.abc import Callable

from tui.charts.xaxis import STEPS, Along, XUnit, epochs_unit, time_unit, tokens_unit
from tui.train.live_run import MOMENT, LiveRun

AXES = ("steps", "epochs", "tokens", "time")
"""What x can count, in the order of the key."""

_METRICS = {"epochs": "epoch", "tokens": "num_tokens", "time": MOMENT}

_UNITS: dict[str, Callable[[float], XUnit]] = {"epochs": epochs_unit, "tokens": tokens_unit, "time": time_unit}


def along(run: LiveRun, axis: str) -> Along | None:
    """Where the steps of a run lie on an axis; None where it counts steps."""
    metric = _METRICS.get(axis)
    if metric is None:
        return None
    return Along(run.series(metric), (run.first_moment or 0.0) if axis == "time" else 0.0)


def unit(axis: str, end: float) -> XUnit:
    """The unit of an axis that reaches to `end`."""
    return _UNITS[axis](end) if axis in _UNITS else STEPS


def next_axis(axis: str, *runs: LiveRun) -> str:
    """The axis that comes after one, of those that some run has logged; time needs none."""
    there = [name for name in AXES if name in ("steps", "time") or any(len(run.series(_METRICS[name])) for run in runs)]
    return there[(there.index(axis) + 1) % len(there)] if axis in there else there[0]
