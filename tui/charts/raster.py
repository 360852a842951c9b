"""From values to dots to glyphs: eight dots a cell, drawn as braille, as blocks or as ASCII."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from typing import NamedTuple

from tui.charts.series import Series, Summary
from tui.charts.xaxis import Along

_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille bits of a cell: left and right column, from the top."""


def _span_masks() -> list[list[list[int]]]:
    return [
        [[sum(bits[a : b + 1]) for b in range(4)] for a in range(4)]
        for bits in _BITS
    ]  # fmt: skip


_SPAN = _span_masks()
FULL = 0xFF

CellSpan = tuple[int, int] | None
"""Top and bottom dot row of one dot column, or nothing there."""


class Dots:
    """A grid of dots, two wide and four high in each cell.

    Attributes:
        masks: one byte a cell, row by row, in braille's bit order.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.masks = bytearray(width * height)

    def fill(self, column: int, top: int, bottom: int) -> None:
        """Set the dots `top..bottom` (inclusive, cut to the grid) of a dot column."""
        lowest = self.height * 4 - 1
        top = 0 if top < 0 else top  # many of these calls make a plot: comparing is cheaper than `max`
        bottom = lowest if bottom > lowest else bottom
        if top > bottom:
            return
        masks, width, side = self.masks, self.width, _SPAN[column & 1]
        first, last = top >> 2, bottom >> 2
        index = first * width + (column >> 1)
        if first == last:
            masks[index] |= side[top & 3][bottom & 3]
            return
        masks[index] |= side[top & 3][3]
        whole = side[0][3]
        for _ in range(first + 1, last):
            index += width
            masks[index] |= whole
        masks[index + width] |= side[0][bottom & 3]

    def draw(self, spans: Sequence[CellSpan], first: int = 0) -> None:
        """Set the dots of one span a dot column, from the column `first` on."""
        for column in range(first, len(spans)):
            span = spans[column]
            if span is not None:
                self.fill(column, span[0], span[1])


class Viewport(NamedTuple):
    """What part of the plane is shown, and how."""

    x0: float
    x1: float
    y0: float
    y1: float
    log: bool = False

    def rows(self, height: int) -> Callable[[float], int]:
        """The function from a value to its dot row, 0 at the top, in a plot of so many dot rows."""
        last = height - 1
        if self.log:
            top, span = log10(self.y1), log10(self.y1) - log10(self.y0)
            floor = self.y0 * 1e-3
            return lambda value: round((top - log10(max(value, floor))) / span * last)
        top, span = self.y1, self.y1 - self.y0
        return lambda value: round((top - value) / span * last)

    def column(self, x: float, columns: int) -> int:
        """The column in which a step lies, of so many; outside the view it is outside `0..columns-1`."""
        if x == self.x1:
            return columns - 1
        return int((x - self.x0) / (self.x1 - self.x0) * columns // 1)


class _Anchor(NamedTuple):
    """Where a curve is certain: a dot column and the rows that it reaches there."""

    column: int
    top: int
    bottom: int


class Trace:
    """The dots of a series. Where it has only grown since, `follow` finds those of the last columns again, no others.

    Args:
        series: the values.
        view: what part of the plane is shown.
        width: dot columns, two a cell.
        height: dot rows, four a cell.
        along: what the x axis counts in place of steps.
        means: a line through the mean of each dot column; else its reach from the smallest to the largest value, and
            a line where the series is sparse.

    Attributes:
        spans: one a dot column.
        first: the leftmost of them that may have become another one with the last `follow`.
        same: whether none has: a value more in a column of many seldom moves a dot.
    """

    def __init__(
        self, series: Series, view: Viewport, width: int, height: int, along: Along | None = None, *, means: bool
    ) -> None:
        self._series, self._view, self._width, self._along, self._means = series, view, width, along, means
        self._row = view.rows(height)
        self._step_at = along.step if along else _same
        self._place_of = along.place if along else _same
        self._single: list[CellSpan] = [None] * width
        """The spans before the one to the right of each took half of a step up or down."""
        self.spans: list[CellSpan] = [None] * width
        self.first, self.same = 0, False
        self._rewinds, self._scale = series.rewinds, series.scale
        self._length = self._taken = 0
        self._draw(0)

    def follow(self) -> None:
        """Take in what the series has more now."""
        series, self.same = self._series, False
        if self._along is not None or (self._rewinds, self._scale) != (series.rewinds, series.scale):
            self._rewinds, self._scale = series.rewinds, series.scale
            self._draw(0)
        elif self._taken != series.taken:
            width = (self._view.x1 - self._view.x0) / self._width
            changed = (series.x[self._length - 1] - self._view.x0) / width - 1 if self._length else 0
            before = self.spans[:]
            self._draw(int(min(max(changed, 0), self._width)))
            self.same = self.spans == before
        else:
            self.first, self.same = self._width, True

    def _draw(self, changed: int) -> None:
        """Find the spans from the last certain place before the column `changed` on."""
        series, view, width = self._series, self._view, self._width
        along = self._along
        summaries = series.columns(
            view.x0, view.x1, width, means=self._means, to_step=along.step if along is not None else None
        )
        self._length, self._taken = len(series), series.taken
        while changed > 0 and not summaries[changed - 1].size:
            changed -= 1
        begin = max(changed - 1, 0)  # here the line is certain, and continues from here
        self.first = begin
        spans, single = self.spans, self._single
        spans[begin:] = [None] * (width - begin)
        single[changed:] = [None] * (width - changed)
        first, end = series.positions(self._step_at(view.x0), self._step_at(view.x1))
        before: _Anchor | None = None
        if changed:
            before = self._anchor(begin, summaries[begin])
            spans[begin] = single[begin]
        else:
            before = self._outside(first - 1)
        for column in range(changed, width):
            summary = summaries[column]
            if summary.size:
                before = self._to(before, self._anchor(column, summary))
        after = self._outside(end)
        if after is not None:
            self._to(before, after)

    def _anchor(self, column: int, summary: Summary) -> _Anchor:
        top = self._row(summary.hi)
        return _Anchor(column, top, top if self._means else self._row(summary.lo))

    def _outside(self, position: int) -> _Anchor | None:
        """Where a value lies that is not in view."""
        series = self._series
        if not 0 <= position < len(series):
            return None
        summary = series.bounds(position, position + 1)
        column = self._view.column(self._place_of(series.x[position]), self._width)
        return self._anchor(column, summary) if summary.size else None

    def _to(self, before: _Anchor | None, here: _Anchor) -> _Anchor:
        """Draw to an anchor, unless the values between are broken off."""
        step = (self._view.x1 - self._view.x0) / self._width
        if before is not None and (
            here.column <= before.column + 1
            or not self._series.broken(
                self._step_at(self._view.x0 + (before.column + 1) * step),
                self._step_at(self._view.x0 + here.column * step),
            )
        ):
            _join(self.spans, self._single, before, here)
        elif 0 <= here.column < self._width:
            self.spans[here.column] = self._single[here.column] = here[1:]
        return here


def _same(x: float) -> float:
    return x


def _join(spans: list[CellSpan], single: list[CellSpan], before: _Anchor, here: _Anchor) -> None:
    """Draw straight from one anchor to the next, so that neighbouring columns touch."""
    distance = here.column - before.column
    for column in range(max(before.column + 1, 0), min(here.column + 1, len(spans))):
        if column == here.column:
            top, bottom = here.top, here.bottom
        else:
            part = (column - before.column) / distance
            top = round(before.top + (here.top - before.top) * part)
            bottom = round(before.bottom + (here.bottom - before.bottom) * part)
        left = spans[column - 1] if column else None
        if left is not None:
            if top > left[1] + 1:  # a step down: each goes half the way
                middle = (top + left[1]) // 2
                spans[column - 1] = (left[0], middle)
                top = middle + 1
            elif left[0] > bottom + 1:
                middle = (left[0] + bottom) // 2
                spans[column - 1] = (middle + 1, left[1])
                bottom = middle
        spans[column] = single[column] = (top, bottom)
