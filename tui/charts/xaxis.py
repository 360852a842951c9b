"""What an x axis counts: steps, or something that grows with them, such as tokens or time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tui.charts.axis import Tick, labels, linear_ticks, nice_step
from tui.charts.series import Series


class XUnit(NamedTuple):
    """How places on an x axis are written.

    Attributes:
        name: behind the first number on the axis.
        size: what one of it is on the axis.
        whole: whether parts of it mean nothing.
    """

    name: str
    size: float = 1.0
    whole: bool = False


STEPS = XUnit("steps", whole=True)

_SHORTEST = 50
"""Steps that the axis of a running training reaches at least."""


def epochs_unit(end: float) -> XUnit:
    """Epochs, whatever the axis' end."""
    return XUnit("epochs")


def tokens_unit(end: float) -> XUnit:
    """Tokens in the multiple that suits an axis up to `end`."""
    for name, size in (("G tokens", 1e9), ("M tokens", 1e6), ("k tokens", 1e3)):
        if end >= 2 * size:
            return XUnit(name, size)
    return XUnit("tokens", whole=True)


def time_unit(end: float) -> XUnit:
    """Days, hours, minutes or seconds, as suits an axis of `end` seconds."""
    for name, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if end >= 3 * size:
            return XUnit(name, size)
    return XUnit("s")


def ticks(x0: float, x1: float, unit: XUnit, wanted: int) -> list[Tick]:
    """About so many ticks from `x0` to `x1`, at round numbers of the unit."""
    found = linear_ticks(x0 / unit.size, x1 / unit.size, wanted)
    if unit.whole:
        whole = [tick.value for tick in found if tick.value % 1 == 0]
        found = [
            Tick(value, label)
            for value, label in zip(
                whole, labels(whole, max(1.0, nice_step((x1 - x0) / unit.size, wanted))), strict=True
            )
        ]
    return [Tick(tick.value * unit.size, tick.label) for tick in found]


def steps_end(step: int | None, of: int | None, *, part: int = 4) -> int | None:
    """Where an axis of steps ends, as far as that is known: at the run's end, once a quarter is done.

    Before, the curve would be a dotted column or two, so the axis ends earlier; it reaches further each time that the
    curve takes half of it.

    Args:
        step: steps done.
        of: steps in all.
        part: one part in so many of the axis is taken by the curve at least; more of them let the axis move less often.
    """
    if step is None or not of:
        return of
    end = of
    while part * step < end and end >= 2 * _SHORTEST:
        end = -(-end // 2)
    return end


class Along:
    """A place on an x axis for each step and back, by a metric that never falls: tokens seen, or the time.

    Args:
        metric: its values over steps; it may grow.
        origin: its value before the first step, which is 0 on the axis.
    """

    def __init__(self, metric: Series, origin: float = 0.0) -> None:
        self._metric = metric
        self._origin = origin

    def place(self, step: float) -> float:
        """Where a step lies."""
        return _between(self._metric.x, self._metric.y, step, 0.0, self._origin, bisect_right) - self._origin

    def step(self, place: float) -> float:
        """The step, or part of one, at a place; beyond the newest one, infinity."""
        values = self._metric.y
        value = place + self._origin
        if not values or value > values[-1]:
            return float("inf")
        return _between(values, self._metric.x, value, self._origin, 0.0, bisect_left)


def _between(
    xs: Sequence[float],
    ys: Sequence[float],
    x: float,
    x_before: float,
    y_before: float,
    search: Callable[[Sequence[float], float], int],
) -> float:
    at = search(xs, x)
    if at == len(xs):
        return ys[-1] if ys else y_before
    left, low = (xs[at - 1], ys[at - 1]) if at else (x_before, y_before)
    right, high = xs[at], ys[at]
    return low + (high - low) * (x - left) / (right - left) if right > left else high


class StableEnd:
    """The end of an axis whose true end is only estimated: it moves when it must, and then to a round number."""

    def __init__(self) -> None:
        self._end = 0.0

    def update(self, estimate: float) -> float:
        """The end to draw, for an end that is now thought to be `estimate`."""
        if not 0.75 * self._end <= estimate <= self._end and estimate > 0:
            step = nice_step(estimate, 10)
            self._end = (estimate // step + 1) * step
        return self._end
