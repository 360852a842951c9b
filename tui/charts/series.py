"""Append-only series that are summarised as they grow, so that drawing costs the same for ten points or a million."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from operator import le
from typing import NamedTuple

FANOUT = 32
"""Points per bin of the lowest level, and bins per bin of the next."""


ALIGN_FROM = 8
"""Bins in a column from which it ends at a bin's edge: an eighth of a column, which is half a cell, cannot be seen."""


class Summary(NamedTuple):
    """What is drawn of a stretch of values: from where to where. Without finite values, `size` is 0.

    For a line both bounds are the mean.
    """

    lo: float
    hi: float
    size: int


EMPTY = Summary(inf, -inf, 0)


@dataclass
class _Level:
    """Whole bins of one size: of each the bounds, the sum and the number of finite values."""

    lo: array[float] = field(default_factory=lambda: array("d"))
    hi: array[float] = field(default_factory=lambda: array("d"))
    total: array[float] = field(default_factory=lambda: array("d"))
    count: array[int] = field(default_factory=lambda: array("q"))

    def cut(self, size: int) -> None:
        """Keep the first `size` bins."""
        for values in (self.lo, self.hi, self.total, self.count):
            del values[size:]


@dataclass
class _Columns:
    """Columns as they were last asked for; only those that new values fall into are summarised again."""

    length: int
    summaries: list[Summary]


class Series:
    """Values over steps. Values that are not finite are kept but never enter a bound or a mean.

    Steps do not fall, save where a run went back to a checkpoint: then what was logged after it is dropped.

    Attributes:
        x: steps, ascending.
        y: values as they were logged, NaN and infinities included.
        not_finite: steps at which the value was NaN or infinite, ascending.
        rewinds: how often values were dropped.
    """

    def __init__(self) -> None:
        self.rewinds = 0
        self.x: array[float] = array("d")
        self.y: array[float] = array("d")
        self.not_finite: array[float] = array("d")
        self._levels: list[_Level] = []
        self._asked: dict[tuple[float, float, int, bool], _Columns] = {}

    def __len__(self) -> int:
        return len(self.x)

    @property
    def last(self) -> float | None:
        """The newest value (NaN and infinities too), or None without any."""
        return self.y[-1] if self.y else None

    def append(self, x: float, y: float) -> None:
        """Add a value; one at an earlier step than the last drops everything from that step on."""
        if self.x and x < self.x[-1]:
            self.truncate(x)
        self.x.append(x)
        self.y.append(y)
        if not isfinite(y):
            self.not_finite.append(x)

    def extend(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Add many values at once, as `append` would one by one."""
        if not xs:
            return
        ascending = (not self.x or xs[0] >= self.x[-1]) and all(map(le, xs, xs[1:]))
        if ascending and isfinite(sum(ys)):  # one NaN or infinity would make the sum one
            self.x.extend(xs)
            self.y.extend(ys)
            return
        for x, y in zip(xs, ys, strict=True):
            self.append(x, y)

    def truncate(self, x: float) -> None:
        """Drop every value at step `x` or later."""
        self.rewinds += 1
        keep = bisect_left(self.x, x)
        del self.x[keep:]
        del self.y[keep:]
        del self.not_finite[bisect_left(self.not_finite, x) :]
        self._asked.clear()
        for level in self._levels:
            keep //= FANOUT
            level.cut(keep)

    def positions(self, x0: float, x1: float) -> tuple[int, int]:
        """First position at `x0` or later, and the first one beyond `x1`."""
        return bisect_left(self.x, x0), bisect_right(self.x, x1)

    def bounds(self, first: int, end: int) -> Summary:
        """Smallest and largest of the finite values at positions `first <= i < end`."""
        if end - first == 1:
            return self._single(first)
        lo, hi = inf, -inf
        for number, a, b in self._pieces(first, end):
            if number:
                level = self._levels[number - 1]
                low, high = min(level.lo[a:b]), max(level.hi[a:b])
            else:
                values = self._finite(a, b)
                low, high = min(values, default=inf), max(values, default=-inf)
            if low < lo:
                lo = low
            if high > hi:
                hi = high
        return Summary(lo, hi, end - first) if lo <= hi else EMPTY

    def mean(self, first: int, end: int) -> Summary:
        """Mean of the finite values at positions `first <= i < end`."""
        if end - first == 1:
            return self._single(first)
        total, counted = 0.0, 0
        for number, a, b in self._pieces(first, end):
            if number:
                level = self._levels[number - 1]
                total += sum(level.total[a:b])
                counted += sum(level.count[a:b])
            else:
                values = self._finite(a, b)
                total += sum(values)
                counted += len(values)
        return Summary(total / counted, total / counted, counted) if counted else EMPTY

    def columns(self, x0: float, x1: float, number: int, *, means: bool = False) -> list[Summary]:
        """`number` equally wide stretches of `x0 <= x <= x1`, each with its bounds or, if asked for, its mean."""
        key = (x0, x1, number, means)
        asked = self._asked.get(key)
        if asked is None:
            if len(self._asked) >= 4:
                self._asked.clear()
            asked = self._asked[key] = _Columns(0, [EMPTY] * number)
        if asked.length == len(self.x):
            return asked.summaries
        width = (x1 - x0) / number
        low, high = self.positions(x0, x1)

        def edge(column: int) -> int:
            return high if column == number else bisect_left(self.x, x0 + column * width, low, high)

        start = 0
        if asked.length:
            start = min(max(int((self.x[asked.length - 1] - x0) / width) - 1, 0), number - 1)
        raw = edge(start)
        first = _aligned(edge(start - 1), raw, high) if start else raw
        summary = self.mean if means else self.bounds
        for column in range(start, number):
            if raw == len(self.x):
                break
            before, raw = raw, edge(column + 1)
            stop = _aligned(before, raw, high)
            asked.summaries[column] = summary(first, stop) if stop > first else EMPTY
            first = stop
        asked.length = len(self.x)
        return asked.summaries

    def within(self, x0: float, x1: float) -> Summary:
        """Bounds of the finite values at `x0 <= x <= x1`."""
        first, end = self.positions(x0, x1)
        return self.bounds(first, end)

    def nearest(self, x: float) -> int | None:
        """Position of the value whose step is nearest to `x`, or None without any."""
        if not self.x:
            return None
        after = min(bisect_left(self.x, x), len(self.x) - 1)
        before = max(after - 1, 0)
        return after if self.x[after] - x <= x - self.x[before] else before

    def broken(self, x0: float, x1: float) -> bool:
        """Whether a value that is not finite lies at `x0 <= x < x1`."""
        first = bisect_left(self.not_finite, x0)
        return first < len(self.not_finite) and self.not_finite[first] < x1

    def _single(self, position: int) -> Summary:
        value = self.y[position]
        return Summary(value, value, 1) if isfinite(value) else EMPTY

    def _finite(self, first: int, end: int) -> array[float] | list[float]:
        values = self.y[first:end]
        return [value for value in values if isfinite(value)] if self.not_finite else values

    def _pieces(self, first: int, end: int) -> Iterator[tuple[int, int, int]]:
        """A stretch as parts `(level, first, end)`: level 0 are values, each further one bins of the one before."""
        if end - first > 2 * FANOUT:
            self._summarise()
        number = 0
        while first < end:
            made = len(self._levels[number].lo) if number < len(self._levels) else 0
            inner, inner_end = -(-first // FANOUT), min(end // FANOUT, made)
            if inner >= inner_end:
                yield number, first, end
                return
            if first < inner * FANOUT:
                yield number, first, inner * FANOUT
            if inner_end * FANOUT < end:
                yield number, inner_end * FANOUT, end
            first, end, number = inner, inner_end, number + 1

    def _summarise(self) -> None:
        """Make the whole bins that are still missing."""
        below = len(self.x)
        if self._levels and len(self._levels[0].lo) == below // FANOUT:
            return
        for number in range(len(self._levels) + 1):
            whole = below // FANOUT
            if not whole:
                return
            if number == len(self._levels):
                self._levels.append(_Level())
            level = self._levels[number]
            for index in range(len(level.lo), whole):
                self._add_bin(level, number, index * FANOUT, (index + 1) * FANOUT)
            below = whole

    def _add_bin(self, level: _Level, number: int, first: int, end: int) -> None:
        if number:
            below = self._levels[number - 1]
            level.lo.append(min(below.lo[first:end]))
            level.hi.append(max(below.hi[first:end]))
            level.total.append(sum(below.total[first:end]))
            level.count.append(sum(below.count[first:end]))
            return
        values = self._finite(first, end)
        level.lo.append(min(values, default=inf))
        level.hi.append(max(values, default=-inf))
        level.total.append(sum(values))
        level.count.append(len(values))


def _aligned(before: int, edge: int, end: int) -> int:
    """Where a column of many values ends: at a bin's edge, so that no bin is taken apart. No value is lost.

    Args:
        before: the position of the column's left edge.
        edge: that of its right edge.
        end: the position after the last value in view.
    """
    if edge < end and edge - before >= ALIGN_FROM * FANOUT:
        return edge // FANOUT * FANOUT
    return edge
