"""Axes that stay where they are: ticks at round numbers, bounds that move only when they must."""

from __future__ import annotations

from math import ceil, floor, isfinite, log10
from typing import NamedTuple

SHRINK_BELOW = 0.5
"""The data must fill less than this part of an axis before the axis closes in on it."""


SMALLEST = 1e-290
"""What is nearer to 0, or to each other, is drawn as if it were not apart: floats have no tick between."""

HEADROOM = 0.25
"""Where data leaves an axis it is on its way: the axis goes further by this part of the data's reach."""


class Tick(NamedTuple):
    """A value on an axis and how it is written."""

    value: float
    label: str


def nice_step(span: float, wanted: int) -> float:
    """1, 2 or 5 times a power of ten, whichever cuts `span` into the number of steps nearest to `wanted`."""
    raw = span / max(1, wanted)
    power = 10.0 ** floor(log10(raw))
    for factor, up_to in ((1, 2**0.5), (2, 10**0.5), (5, 50**0.5)):
        if raw <= up_to * power:
            return factor * power
    return 10 * power


def linear_ticks(lo: float, hi: float, wanted: int) -> list[Tick]:
    """About `wanted` ticks at multiples of a nice step."""
    step = nice_step(hi - lo, wanted)
    first, last = ceil(lo / step - 1e-6), floor(hi / step + 1e-6)
    values = [number * step for number in range(first, last + 1)]
    return [Tick(value, label) for value, label in zip(values, labels(values, step), strict=True)]


def log_ticks(lo: float, hi: float, wanted: int) -> list[Tick]:
    """Ticks at powers of ten, with 2 and 5 between them where there is room."""
    low, high = floor(log10(lo) + 1e-9), ceil(log10(hi) - 1e-9)
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**power for power in range(low, high + 1) for factor in factors]
        values = [value for value in values if lo * 0.9999 <= value <= hi * 1.0001]
        if len(values) <= wanted + 1:
            break
    stride = max(1, ceil(len(values) / max(1, wanted)))
    return [Tick(value, _log_label(value)) for value in values[::stride]]


def _log_label(value: float) -> str:
    if 1e-3 <= value < 1e6:
        return f"{value:,.{max(0, -floor(log10(value) + 1e-9))}f}"
    return _exponent(value, 0)


def labels(values: list[float], step: float) -> list[str]:
    """How the ticks of one axis are written: all with the same digits, thousands separated, as `2e-4` when tiny."""
    if not values:
        return []
    largest = max(abs(value) for value in values)
    if largest == 0:
        return ["0" for _ in values]
    if largest >= 1e6 or largest < 1e-2:
        power = floor(log10(largest) + 1e-9)
        digits = max(0, power - floor(log10(step) + 1e-9))
        return ["0" if value == 0 else _exponent(value, digits, power) for value in values]
    digits = max(0, -floor(log10(step) + 1e-9))
    return ["0" if value == 0 else f"{value:,.{digits}f}" for value in values]


def _exponent(value: float, digits: int, power: int | None = None) -> str:
    power = floor(log10(abs(value)) + 1e-9) if power is None else power
    return f"{value / 10.0**power:.{digits}f}e{power}"


def linear_bounds(lo: float, hi: float) -> tuple[float, float]:
    """Round bounds around the data; from 0 where the data comes near enough to it to make that the fairer picture."""
    if hi <= lo == 0:
        hi = 1.0  # nothing but zeros: a learning rate before its warmup
    elif hi <= lo:
        margin = abs(lo) * 0.05
        lo, hi = lo - margin, hi + margin
    if 0 < lo < 0.4 * hi:
        lo = 0.0
    elif 0.4 * lo < hi < 0:
        hi = 0.0
    step = nice_step(hi - lo, 4) / 2
    return floor(lo / step + 1e-6) * step, ceil(hi / step - 1e-6) * step


def log_bounds(lo: float, hi: float) -> tuple[float, float]:
    """Bounds at 1, 2 or 5 times a power of ten around positive data."""

    def down(value: float) -> float:
        power = 10.0 ** floor(log10(value))
        return max((factor * power for factor in (1, 2, 5) if factor * power <= value * 1.0001), default=power)

    low, high = down(lo), down(hi)
    if high < hi * 0.9999:
        lead = round(high / 10.0 ** floor(log10(high) + 1e-9))
        high *= {1: 2, 2: 2.5, 5: 2}[lead]
    return (low / 2, high * 2) if high <= low else (low, high)


class StableRange:
    """Bounds of a y axis that change seldom: outwards when the data leaves them, inwards when it fills half or less.

    Each change of bounds moves every cell of the chart; bounds that hold keep a live update to a few cells.
    """

    def __init__(self) -> None:
        self._bounds: tuple[float, float] | None = None
        self._log = False

    def update(self, lo: float, hi: float, *, log: bool = False) -> tuple[float, float]:
        """The bounds to draw data between `lo` and `hi` in; (0, 1) while there is no finite data.

        Args:
            lo: smallest finite value (positive, when `log`).
            hi: largest finite value.
            log: whether the axis is logarithmic.
        """
        if not (isfinite(lo) and isfinite(hi)):
            return self._bounds if self._bounds and self._log == log else ((0.1, 1.0) if log else (0.0, 1.0))
        if log:
            lo, hi = max(lo, SMALLEST), max(hi, SMALLEST)
        elif hi - lo < SMALLEST:
            lo = hi = lo if abs(lo) > SMALLEST else 0.0
        if self._bounds is not None and self._log == log:
            low, high = self._bounds
            inside = low <= lo and hi <= high
            if inside and _filled(lo, hi, low, high, log) >= SHRINK_BELOW:
                return self._bounds
            if not log:
                room = HEADROOM * (hi - lo)
                lo, hi = (_away(lo, lo - room) if lo < low else lo), (_away(hi, hi + room) if hi > high else hi)
        wanted = log_bounds(lo, hi) if log else linear_bounds(lo, hi)
        self._bounds, self._log = wanted, log
        return wanted

    def reset(self) -> None:
        """Forget the bounds: the next update chooses new ones."""
        self._bounds = None


def _away(value: float, further: float) -> float:
    """A bound moved further out, but not over zero."""
    return 0.0 if value * further < 0 else further


def _filled(lo: float, hi: float, low: float, high: float, log: bool) -> float:
    if log:
        lo, hi, low, high = log10(lo), log10(hi), log10(low), log10(high)
    return (hi - lo) / (high - low)


def grown_end(current: float, needed: float) -> float:
    """End of an x axis without a known end: unchanged while it is enough, else a round number a quarter further."""
    if needed <= current:
        return current
    step = nice_step(needed * 1.25, 5)
    return ceil(needed * 1.05 / step) * step
