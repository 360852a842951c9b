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

Span = tuple[int, int] | None
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
        top, bottom = max(top, 0), min(bottom, self.height * 4 - 1)
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

    def draw(self, spans: Sequence[Span]) -> None:
        """Set the dots of one span a dot column, from the left."""
        for column, span in enumerate(spans):
            if span is not None:
                self.fill(column, span[0], span[1])


class View(NamedTuple):
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


def band_spans(series: Series, view: View, width: int, height: int, along: Along | None = None) -> list[Span]:
    """The reach of a series from its smallest to its largest value in each dot column; where it is sparse, a line.

    Args:
        series: the values.
        view: what part of the plane is shown.
        width: dot columns, two a cell.
        height: dot rows, four a cell.
        along: what the x axis counts in place of steps.
    """
    return _spans(series, view, width, height, along, means=False)


def line_spans(series: Series, view: View, width: int, height: int, along: Along | None = None) -> list[Span]:
    """A series as a line through the mean of each dot column; arguments as for `band_spans`."""
    return _spans(series, view, width, height, along, means=True)


def _spans(series: Series, view: View, width: int, height: int, along: Along | None, *, means: bool) -> list[Span]:
    row = view.rows(height)
    to_step, to_place = (along.step, along.place) if along else (None, _same)
    step_at = to_step or _same

    def anchor(column: int, summary: Summary) -> _Anchor:
        top = row(summary.hi)
        return _Anchor(column, top, top if means else row(summary.lo))

    def outside(position: int) -> list[_Anchor]:
        if not 0 <= position < len(series):
            return []
        summary = series.bounds(position, position + 1)
        return [anchor(view.column(to_place(series.x[position]), width), summary)] if summary.size else []

    summaries = series.columns(view.x0, view.x1, width, means=means, to_step=to_step)
    anchors = [anchor(column, summary) for column, summary in enumerate(summaries) if summary.size]
    first, end = series.positions(step_at(view.x0), step_at(view.x1))
    anchors = [*outside(first - 1), *anchors, *outside(end)]
    spans: list[Span] = [None] * width
    step = (view.x1 - view.x0) / width
    before: _Anchor | None = None
    for here in anchors:
        if before is not None and (
            here.column <= before.column + 1
            or not series.broken(step_at(view.x0 + (before.column + 1) * step), step_at(view.x0 + here.column * step))
        ):
            _join(spans, before, here)
        elif 0 <= here.column < width:
            spans[here.column] = here[1:]
        before = here
    return spans


def _same(x: float) -> float:
    return x


def _join(spans: list[Span], before: _Anchor, here: _Anchor) -> None:
    """Draw straight from one anchor to the next, so that neighbouring columns touch."""
    distance = max(1, here.column - before.column)
    for column in range(max(before.column + 1, 0), min(here.column + 1, len(spans))):
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
        spans[column] = (top, bottom)
