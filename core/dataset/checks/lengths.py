"""Samples whose length is far outside the rest."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item
from core.dataset.sample import characters

_ROWS_NEEDED = 20
_FENCE = 3.0


class LengthOutlier(Check):
    """Far longer or shorter than nearly all others."""

    name = "length_outlier"
    title = "length outlier"
    help = "Far longer or shorter than the other rows (beyond 3 interquartile ranges of the log length)."
    example = "a row of 50,000 characters where the median row has 400"
    advice = "Look for a truncated, empty or concatenated row. If it is good, keep it and check the max length."
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._lengths = array("L")
        self._rows = array("L")

    def inspect(self, item: Item) -> Flag | None:
        """Notes the length; the verdict needs all of them."""
        if item.sample is not None:
            self._lengths.append(characters(item.sample))
            self._rows.append(item.row)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags what lies beyond Tukey's outer fences of the logarithm, and is 4 times off the median at least."""
        if len(self._lengths) < _ROWS_NEEDED:
            return
        ordered = sorted(self._lengths)
        low, median, high = (math.log1p(ordered[len(ordered) * quarter // 4]) for quarter in (1, 2, 3))
        spread = max(_FENCE * (high - low), math.log(4))
        least, most = math.expm1(min(low, median) - spread), math.expm1(max(high, median) + spread)
        middle = ordered[len(ordered) // 2]
        for row, length in zip(self._rows, self._lengths, strict=True):
            if length > most or length < least:
                yield row, self.flag(f"{length:,} characters; the median row has {middle:,}")
