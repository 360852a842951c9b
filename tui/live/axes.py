"""What an x axis may count in a run: steps, or a metric that grows with them."""

from __future__ import annotations

from collections.abc import Callable

from core.units import count, duration, short_count
from tui.charts.xaxis import STEPS, Along, StableEnd, XUnit, epochs_unit, steps_end, time_unit, tokens_unit
from tui.live.run import MOMENT, LiveRun

AXES = ("steps", "epochs", "tokens", "time")
"""What x can count, in the order of the key."""

_CLOSE = 0.03
"""Part by which an estimate of the epochs in all may miss a half or a whole one, to be taken for it."""

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


class RunAxis:
    """What x counts in the charts of a run, and where it ends.

    Attributes:
        name: what it counts, of `AXES`.
        along: where the steps of the run lie; None where it counts steps.
    """

    def __init__(self) -> None:
        """Make one that counts steps."""
        self.name = AXES[0]
        self.along: Along | None = None
        self._end = StableEnd()

    def bind(self, run: LiveRun) -> None:
        """Measure a run from now on."""
        self.along = along(run, self.name)
        self._end = StableEnd()

    def end(self, run: LiveRun, parts: int) -> tuple[float | None, XUnit]:
        """Where the axis ends, as far as that is known, and its unit.

        Args:
            run: the run that it measures.
            parts: of steps, one part in so many is taken by the curve at least.
        """
        step, of = run.progress()
        over = run.update is not None and run.update.over
        if self.along is None:
            return run.newest_step if over else steps_end(step, of, part=parts), STEPS
        newest = self.along.place(float("inf"))
        if over:
            end = newest
        elif self.name == "time":
            end = self._end.update(newest + (run.eta[0] if run.eta else 0.0))
        else:
            estimate = newest * of / step if step and of else newest
            halves = round(2 * estimate) / 2
            if self.name == "epochs" and abs(estimate - halves) <= _CLOSE * halves:
                end = max(halves, newest)  # as recipes say it; a last step that is not full makes little difference
            else:
                end = self._end.update(estimate)
        return end, unit(self.name, end)

    def words(self, run: LiveRun, step: float) -> str:
        """A place in words: step, epoch, and what x counts."""
        words = f"step {count(round(step))}" if step < float("inf") else "later"
        epoch = run.at("epoch", step)
        if epoch is not None:
            words += f"  epoch {epoch:.2f}"
        if self.along is not None and step < float("inf") and self.name != "epochs":
            place = self.along.place(step)
            words += f"  {duration(place)}" if self.name == "time" else f"  {short_count(place)} tokens"
        return words
