"""The mean of a metric's last raw values: header, chart and verdict print the same figure, and it is made here."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import fsum, isfinite
from operator import lt

MEAN_OF = 25
"""Values that are averaged, whatever the length of the run; fewer while there are fewer."""

_MOST = 1e100
"""Values beyond it are no measurements: they are left out as NaN and infinities are."""

_KEPT = 16_384
"""Values that are kept, so that a run that goes back to a checkpoint still has those before it."""


def mean_of_last(values: Sequence[float], number: int = MEAN_OF) -> float | None:
    """The mean of the last values; None where there are none.

    Args:
        values: finite ones, oldest first.
        number: how many are averaged at most.
    """
    last = values[-number:]
    return fsum(last) / len(last) if last else None


class RecentValues:
    """The last raw values of a metric and their steps, in bounded memory.

    A step that is logged again, because the run was resumed from an earlier checkpoint, replaces what was logged at it
    and after it; what came before it still counts.
    """

    def __init__(self) -> None:
        self._steps: array[float] = array("d")
        self._values: array[float] = array("d")
        self._newest = float("-inf")

    def add(self, step: float, value: float) -> None:
        """Take in one value; one that is not finite counts for nothing."""
        steps = self._steps
        if step <= self._newest:
            self.rewind(step)
        if -_MOST < value < _MOST:  # quicker than isfinite, and nan is neither
            steps.append(step)
            self._values.append(value)
            self._newest = step
            if len(steps) > 2 * _KEPT:
                self._trim()

    def extend(self, steps: Sequence[float], values: Sequence[float]) -> None:
        """Take in many values, as `add` would one by one."""
        follows = bool(steps) and steps[0] > self._newest
        if follows and isfinite(sum(values)) and max(map(abs, values)) < _MOST and all(map(lt, steps, steps[1:])):
            self._steps.extend(steps)
            self._values.extend(values)
            self._newest = steps[-1]
            self._trim()
            return
        for step, value in zip(steps, values, strict=True):
            self.add(step, value)

    def _trim(self) -> None:
        if len(self._steps) > 2 * _KEPT:
            del self._steps[:-_KEPT], self._values[:-_KEPT]

    def rewind(self, step: float) -> None:
        """Forget what was logged at a step and after it."""
        keep = bisect_left(self._steps, step)
        del self._steps[keep:], self._values[keep:]
        self._newest = self._steps[-1] if keep else float("-inf")

    def mean(self, number: int = MEAN_OF) -> float | None:
        """The mean of the last values, see `mean_of_last`."""
        return mean_of_last(self._values, number)
