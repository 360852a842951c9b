"""Rows that an earlier row's template wrote with other numbers."""

from __future__ import annotations

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item

_DIGITS = b"0123456789"
_NUMBER_MARKS = b"0123456789.,"
_LETTERS_NEEDED = 16


class SameTemplate(Check):
    """The text of an earlier row but for its numbers."""

    name = "same_template"
    title = "same template"
    help = "An earlier row has the same text with other numbers: many such rows teach the template, not the task."
    example = '`"Add 3 and 4."` and `"Add 8 and 1."`'
    advice = "Keep a few of each template and drop the rest: audit them by flag."
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: dict[int, tuple[int, int]] = {}

    def inspect(self, item: Item) -> Flag | None:
        """Names the first row of this template; rows that are equal with their numbers are other checks' business."""
        encoded = item.encoded
        if len(encoded.translate(None, _DIGITS)) == len(encoded):
            return None
        frame = encoded.translate(None, _NUMBER_MARKS)
        if len(frame) < _LETTERS_NEEDED:
            return None
        # 64 bits of Python's own hash: a chance of one in 37 million that any two of a million rows meet by accident.
        mine = (item.row, hash(encoded))
        first, whole = self._first.setdefault(hash(frame), mine)
        if first == item.row or whole == mine[1]:
            return None
        return self.flag(f"same text as row {first + 1:,} with other numbers", of=first)
