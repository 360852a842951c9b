"""Summaries of summaries: what a stretch of a long series holds, without looking at each of its values."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import NamedTuple

FANOUT = 32
"""Entries per bin of the lowest level, and bins per bin of the next."""


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


class Bins:
    """Bins over the entries of a series, made as they are needed.

    Attributes:
        y: the entries' values, means where an entry stands for several.
        lo: the smallest value of each entry; `y` itself where each stands for one.
        hi: the largest.
        finite: whether every value is known to be finite.
    """

    def __init__(self, y: array[float], lo: array[float], hi: array[float]) -> None:
        self.y, self.lo, self.hi = y, lo, hi
        self.finite = True
        self._levels: list[_Level] = []

    def cut(self, size: int) -> None:
        """Keep what the first `size` entries say."""
        for level in self._levels:
            size //= FANOUT
            level.cut(size)

    def bounds(self, first: int, end: int, whole: int) -> Summary:
        """Smallest and largest of the finite values of the entries `first <= i < end`; the first `whole` are final."""
        if end - first == 1:
            low, high = self.lo[first], self.hi[first]
            return Summary(low, high, 1) if isfinite(self.y[first]) else EMPTY
        lo, hi = inf, -inf
        for number, a, b in self._pieces(first, end, whole):
            if number:
                level = self._levels[number - 1]
                low = min(level.lo[a:b]) if b > a + 1 else level.lo[a]
                high = max(level.hi[a:b]) if b > a + 1 else level.hi[a]
            else:
                low = min(self._finite(self.lo, a, b), default=inf)
                high = max(self._finite(self.hi, a, b), default=-inf)
            if low < lo:
                lo = low
            if high > hi:
                hi = high
        return Summary(lo, hi, end - first) if lo <= hi else EMPTY

    def mean(self, first: int, end: int, whole: int) -> Summary:
        """Mean of the finite entries `first <= i < end`."""
        if end - first == 1:
            value = self.y[first]
            return Summary(value, value, 1) if isfinite(value) else EMPTY
        total, counted = 0.0, 0
        for number, a, b in self._pieces(first, end, whole):
            if number:
                level = self._levels[number - 1]
                total += sum(level.total[a:b])
                counted += sum(level.count[a:b])
            else:
                values = self._finite(self.y, a, b)
                total += sum(values)
                counted += len(values)
        return Summary(total / counted, total / counted, counted) if counted else EMPTY

    def _finite(self, values: array[float], first: int, end: int) -> array[float] | list[float]:
        part = values[first:end]
        return part if self.finite else [value for value in part if isfinite(value)]

    def _pieces(self, first: int, end: int, whole: int) -> list[tuple[int, int, int]]:
        """A stretch as parts `(level, first, end)`: level 0 are entries, each further one bins of the one before."""
        if end - first > 2 * FANOUT:
            self._summarize(whole)
        found: list[tuple[int, int, int]] = []
        for number, level in enumerate(self._levels):
            inner, inner_end = -(-first // FANOUT), end // FANOUT
            made = len(level.lo)
            if inner_end > made:
                inner_end = made
            if inner >= inner_end:
                break
            if first < inner * FANOUT:
                found.append((number, first, inner * FANOUT))
            if inner_end * FANOUT < end:
                found.append((number, inner_end * FANOUT, end))
            first, end = inner, inner_end
        else:
            number = len(self._levels)
        if first < end:
            found.append((number, first, end))
        return found

    def _summarize(self, whole: int) -> None:
        """Make the whole bins that are still missing."""
        below = whole
        if self._levels and len(self._levels[0].lo) == below // FANOUT:
            return
        for number in range(len(self._levels) + 1):
            bins = below // FANOUT
            if not bins:
                return
            if number == len(self._levels):
                self._levels.append(_Level())
            level = self._levels[number]
            for index in range(len(level.lo), bins):
                self._add_bin(level, number, index * FANOUT, (index + 1) * FANOUT)
            below = bins

    def _add_bin(self, level: _Level, number: int, first: int, end: int) -> None:
        if number:
            below = self._levels[number - 1]
            level.lo.append(min(below.lo[first:end]))
            level.hi.append(max(below.hi[first:end]))
            level.total.append(sum(below.total[first:end]))
            level.count.append(sum(below.count[first:end]))
            return
        values = self._finite(self.y, first, end)
        level.lo.append(min(self._finite(self.lo, first, end), default=inf))
        level.hi.append(max(self._finite(self.hi, first, end), default=-inf))
        level.total.append(sum(values))
        level.count.append(len(values))
