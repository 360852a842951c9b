"""Append-only series that are summarized as they grow, so that drawing costs the same for ten points or a million."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from operator import le

from tui.charts.bins import EMPTY, FANOUT, Bins, Summary

__all__ = ["EMPTY", "FANOUT", "Series", "Summary"]

HUGE = 1e100
"""Values beyond it count as infinite: sums and differences of what is drawn must stay within what a float holds."""

ALIGN_FROM = 8
"""Bins in a column from which it ends at a bin's edge: an eighth of a column, which is half a cell, cannot be seen."""


@dataclass
class _Columns:
    """Columns as they were last asked for; only those that new values fall into are summarized again."""

    length: int
    taken: int
    summaries: list[Summary]


class Series:
    """Values over steps. Values that are not finite, or beyond `HUGE`, are kept but never enter a bound or a mean.

    Steps do not fall, save where a run went back to a checkpoint: then what was logged after it is dropped.

    Memory is bounded where a limit is given: when there are more entries than that, each two neighbours become one,
    with their mean and their bounds, and from then on as many values make an entry. What is drawn over the whole
    width stays the same; only a narrow zoom shows means in place of single values.

    Args:
        limit: entries that are kept at most; None for all.
        long: the same once the limit was passed, where that should be fewer.

    Attributes:
        x: steps, ascending; of an entry for several values, the first one's.
        y: values as they were logged, NaN and infinities included; means where an entry stands for several.
        scale: values per entry.
        taken: values in all.
        not_finite: steps at which the value was NaN or infinite, ascending.
        rewinds: how often values were dropped.
        last: the newest value (NaN and infinities too), or None without any.
    """

    def __init__(self, limit: int | None = None, long: int | None = None) -> None:
        self.limit = limit
        self._long = long or limit
        self.rewinds = 0
        self.scale = 1
        self.taken = 0
        self.last: float | None = None
        self.x: array[float] = array("d")
        self.y: array[float] = array("d")
        self.not_finite: array[float] = array("d")
        self._lo = self._hi = self.y
        self._filled = 1  # values in the last entry, where entries stand for several
        self._bins = Bins(self.y, self._lo, self._hi)
        self._asked: dict[tuple[float, float, int, bool, Callable[[float], float] | None], _Columns] = {}

    def __len__(self) -> int:
        return len(self.x)

    @property
    def whole(self) -> int:
        """Entries that will not change any more: all, save a last one that is yet to be filled."""
        return len(self.x) - (self._filled < self.scale and bool(self.x))

    def append(self, x: float, y: float) -> None:
        """Add a value; one at an earlier step than the last drops everything from that step on."""
        if self.x and x < self.x[-1]:
            self.truncate(x)
        self.taken += 1
        if not -HUGE < y < HUGE:  # also where y is NaN, which stays one
            y = inf if y > 0 else -inf if y < 0 else nan
        self.last = y
        if not isfinite(y):
            self.not_finite.append(x)
            self._bins.finite = False
        if self.scale > 1 and self._filled < self.scale and self.x:
            self._merge(y)
            return
        self.x.append(x)
        self.y.append(y)
        if self.scale > 1:
            self._lo.append(y)
            self._hi.append(y)
            self._filled = 1
        self._keep_to_limit()

    def extend(self, xs: Sequence[float], ys: Sequence[float], *, ascending: bool = False) -> None:
        """Add many values at once, as `append` would one by one.

        Args:
            xs: their steps.
            ys: the values.
            ascending: whether the steps are known not to fall among themselves.
        """
        if not xs:
            return
        ascending = (not self.x or xs[0] >= self.x[-1]) and (ascending or all(map(le, xs, xs[1:])))
        tame = min(ys) > -HUGE and max(ys) < HUGE and isfinite(sum(ys))  # one NaN would make the sum one
        if not ascending or not tame:
            for x, y in zip(xs, ys, strict=True):
                self.append(x, y)
            return
        begin = 0
        while self.scale > 1 and self._filled < self.scale and begin < len(xs):
            self.append(xs[begin], ys[begin])
            begin += 1
        scale = self.scale
        end = begin + (len(xs) - begin) // scale * scale
        if scale == 1:
            self.x.extend(xs)
            self.y.extend(ys)
        else:
            parts = [ys[begin + at : end : scale] for at in range(scale)]
            self.x.extend(xs[begin:end:scale])
            self.y.extend([total / scale for total in map(sum, zip(*parts, strict=True))])
            self._lo.extend(map(min, *parts))
            self._hi.extend(map(max, *parts))
            if end > begin:
                self._filled = scale
        self.taken += end - begin
        self.last = ys[-1]
        self._keep_to_limit()
        for at in range(end, len(xs)):
            self.append(xs[at], ys[at])

    def truncate(self, x: float) -> None:
        """Drop every value at step `x` or later."""
        self.rewinds += 1
        keep = bisect_left(self.x, x)
        for values in (self.x, self.y) if self.scale == 1 else (self.x, self.y, self._lo, self._hi):
            del values[keep:]
        del self.not_finite[bisect_left(self.not_finite, x) :]
        self._filled = self.scale
        self.last = self.y[-1] if self.y else None
        self.taken += 1  # what was asked for is another answer now
        self._asked.clear()
        self._bins.cut(keep)

    def positions(self, x0: float, x1: float) -> tuple[int, int]:
        """First position at `x0` or later, and the first one beyond `x1`."""
        return bisect_left(self.x, x0), bisect_right(self.x, x1)

    def bounds(self, first: int, end: int) -> Summary:
        """Smallest and largest of the finite values at positions `first <= i < end`."""
        return self._bins.bounds(first, end, self.whole)

    def mean(self, first: int, end: int) -> Summary:
        """Mean of the finite values at positions `first <= i < end`."""
        return self._bins.mean(first, end, self.whole)

    def columns(
        self,
        x0: float,
        x1: float,
        number: int,
        *,
        means: bool = False,
        to_step: Callable[[float], float] | None = None,
    ) -> list[Summary]:
        """`number` equally wide stretches of `x0 <= x <= x1`, each with its bounds or, if asked for, its mean.

        Args:
            x0: left edge.
            x1: right edge.
            number: of stretches.
            means: whether their means are wanted.
            to_step: the step at a place on the axis, where the axis counts something else; it never falls.
        """
        key = (x0, x1, number, means, to_step)
        asked = self._asked.get(key)
        if asked is None:
            if len(self._asked) >= 4:
                self._asked.clear()
            asked = self._asked[key] = _Columns(0, 0, [EMPTY] * number)
        if asked.taken == self.taken:
            return asked.summaries
        width = (x1 - x0) / number
        place = to_step or _same
        low, high = self.positions(place(x0), place(x1))

        def edge(column: int) -> int:
            return high if column == number else bisect_left(self.x, place(x0 + column * width), low, high)

        start = 0
        if asked.length and to_step is None:
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
        asked.length, asked.taken = len(self.x), self.taken
        return asked.summaries

    def within(self, x0: float, x1: float) -> Summary:
        """Bounds of the finite values at `x0 <= x <= x1`."""
        first, end = self.positions(x0, x1)
        return self.bounds(first, end)

    def lowest(self) -> tuple[float, float] | None:
        """Step and value of the smallest finite value, or None."""
        found = self.bounds(0, len(self))
        return (self.x[self._lo.index(found.lo)], found.lo) if found.size else None

    def highest(self) -> tuple[float, float] | None:
        """Step and value of the largest finite value, or None."""
        found = self.bounds(0, len(self))
        return (self.x[self._hi.index(found.hi)], found.hi) if found.size else None

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

    def _merge(self, y: float) -> None:
        """Let the last entry stand for one value more."""
        self._filled += 1
        mean = self.y[-1]
        if not isfinite(y):
            return
        if not isfinite(mean):
            self.y[-1] = self._lo[-1] = self._hi[-1] = y
            return
        self.y[-1] = mean + (y - mean) / self._filled
        self._lo[-1] = min(self._lo[-1], y)
        self._hi[-1] = max(self._hi[-1], y)

    def _keep_to_limit(self) -> None:
        while self.limit is not None and len(self.x) > self.limit:
            self.limit = self._long
            self._halve()

    def _halve(self) -> None:
        """Make one entry of each two; an odd last one is yet to be filled."""
        even = len(self.x) // 2 * 2
        odd, full = len(self.x) > even, self._filled == self.scale or self.scale == 1
        y = self.y[:even]
        means = [(a + b) / 2 for a, b in zip(y[::2], y[1::2], strict=True)]
        lo, hi = self._lo[:even], self._hi[:even]
        lows = list(map(min, lo[::2], lo[1::2]))
        highs = list(map(max, hi[::2], hi[1::2]))
        if not self._bins.finite:
            for at, mean in enumerate(means):
                if not isfinite(mean):
                    means[at], lows[at], highs[at] = _of_finite(y, lo, hi, 2 * at)
        tail = slice(even, None)
        self._lo, self._hi = array("d", [*lows, *self._lo[tail]]), array("d", [*highs, *self._hi[tail]])
        self.x, self.y = self.x[::2], array("d", [*means, *self.y[tail]])
        in_last = self.scale if full else self._filled
        self.scale *= 2
        self._filled = in_last if odd else self.scale // 2 + in_last
        finite = self._bins.finite
        self._bins = Bins(self.y, self._lo, self._hi)
        self._bins.finite = finite
        self._asked.clear()


def _same(x: float) -> float:
    return x


def _of_finite(y: array[float], lo: array[float], hi: array[float], at: int) -> tuple[float, float, float]:
    """Mean and bounds of two neighbours of which one, or both, are not finite."""
    for place in (at, at + 1):
        if isfinite(y[place]):
            return y[place], lo[place], hi[place]
    return y[at], y[at], y[at]


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
