"""Rows that an earlier row's template wrote with other numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag, SetProperty
from core.dataset.checks.first_rows import FirstRows
from core.dataset.item import Item

_DIGITS = b"0123456789"
_NUMBER_MARKS = b"0123456789.,"
_LETTERS_NEEDED = 16


class SameTemplate(Check):
    """The text of an earlier row but for its numbers."""

    name = "same_template"
    title = "same template"
    help = "An earlier row has the same text with different numbers: many such rows teach the template, not the task."
    example = '`"Add 3 and 4."` and `"Add 8 and 1."`'
    advice = (
        "Keep a few of each template and drop the rest: audit them by flag. If most rows repeat a template, this is "
        "reported once for the dataset and no row is flagged, unless the flag is in `data.drop_flags`."
    )
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first = FirstRows()
        self._rows = array("L")
        self._of = array("L")
        self._seen = 0

    def inspect(self, item: Item) -> Flag | None:
        """Notes the first row of this template; rows that are equal with their numbers are other checks' business."""
        self._seen += item.sample is not None
        encoded = item.encoded
        if len(encoded.translate(None, _DIGITS)) == len(encoded):
            return None
        frame = encoded.translate(None, _NUMBER_MARKS)
        if len(frame) < _LETTERS_NEEDED:
            return None
        # 64 bits of Python's own hash: a chance of one in 37 million that any two of a million rows meet by accident.
        mine = hash(encoded)
        first, whole = self._first.put(hash(frame), item.row, mine)
        if first != item.row and whole != mine:
            self._rows.append(item.row)
            self._of.append(first)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the rows that repeat a template, unless most rows do."""
        if not self._is_all:
            for row, first in zip(self._rows, self._of, strict=True):
                yield row, self.flag(f"same text as row {first + 1:,} with different numbers", of=first)

    def properties(self) -> Iterator[SetProperty]:
        """How many rows the templates have where those are most."""
        if self._is_all:
            rows, templates = len(self._rows), len(set(self._of))
            one = f"{templates:,} templates" if templates > 1 else "one template"
            yield SetProperty(
                self.name, f"{rows + templates:,} of {self._seen:,} rows repeat {one} with different numbers", rows
            )

    @property
    def _is_all(self) -> bool:
        return self.is_property(len(self._rows), self._seen)
