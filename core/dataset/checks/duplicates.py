"""Rows that say what an earlier row said."""

from __future__ import annotations

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item


class ExactDuplicate(Check):
    """The sample of an earlier row, to the letter."""

    name = "exact_duplicate"
    title = "exact duplicate"
    help = "The same sample stands in an earlier row: it is trained twice, and may end on both sides of a split."
    severity = "error"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: dict[bytes, int] = {}

    def inspect(self, item: Item) -> Flag | None:
        """Names the first row with this sample."""
        if item.sample is None:
            return None
        first = self._first.setdefault(item.content, item.row)
        if first == item.row:
            return None
        return self.flag(f"the same sample as row {first + 1:,}", of=first)


class NormalizedDuplicate(Check):
    """The text of an earlier row but for case, white space and width of characters."""

    name = "normalized_duplicate"
    title = "same after normalising"
    help = "An earlier row has the same text but for case, white space or the width of its characters."
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: dict[int, tuple[int, bytes]] = {}

    def inspect(self, item: Item) -> Flag | None:
        """Names the first row with this text; exact duplicates of that row are the other check's."""
        if not item.normalized:
            return None
        mine = (item.row, item.content)
        # Python's own hash has 64 bits, as many as are needed for millions of rows, and costs a tenth of BLAKE2b.
        first, content = self._first.setdefault(hash(item.encoded), mine)
        if first == item.row or content == item.content:
            return None
        return self.flag(f"the text of row {first + 1:,} but for case, spaces or character width", of=first)
