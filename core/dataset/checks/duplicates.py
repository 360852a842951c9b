"""Rows that say what an earlier row said."""

from __future__ import annotations

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.checks.first_rows import FirstRows
from core.dataset.item import Item


class ExactDuplicate(Check):
    """The sample of an earlier row, to the letter; of rows that are no samples, the whole row."""

    name = "exact_duplicate"
    title = "exact duplicate"
    help = (
        "An earlier row has exactly the same sample: it counts twice in training and can be on both sides of the split."
    )
    example = "a row that was appended twice"
    advice = "Drop it. Keep it if the repetition is intended."
    severity = "error"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: dict[bytes, int] = {}

    def inspect(self, item: Item) -> Flag | None:
        """Names the first row with this sample."""
        content = item.content
        if item.sample is None:  # no sample, so that the parsed row is compared
            if not item.digest:
                return None
            content = item.digest
        first = self._first.setdefault(content, item.row)
        if first == item.row:
            return None
        return self.flag(f"same {'row' if item.sample is None else 'sample'} as row {first + 1:,}", of=first)


class NormalizedDuplicate(Check):
    """The turns of an earlier row except for case, whitespace and character width."""

    name = "normalized_duplicate"
    title = "same text, normalized"
    help = "An earlier row has the same text in the same roles except for case, whitespace or character width."
    example = '`"Thank you!"` and `"thank  you!"`'
    advice = "Drop it, or add `normalized_duplicate` to `data.drop_flags`."
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first = FirstRows()

    def inspect(self, item: Item) -> Flag | None:
        """Names the first row with this text in the same turns; exact duplicates of it are the other check's."""
        sample = item.sample
        if not item.normalized or sample is None:
            return None
        # Who says which words, what is rated how and which turns are trained: what differs there is no duplicate.
        turns = [(turn.role, turn.trained, turn.media, not turn.reasoning) for turn in item.turns]
        sizes = len(sample.messages), len(sample.chosen)
        shape = (sample.kind, sample.label, *sizes, *turns, item.ends, item.loss_flags)
        tools = str(sample.tools) if sample.tools else ""
        # Python's own hash has 64 bits, as many as are needed for millions of rows, and costs a tenth of BLAKE2b.
        content = hash(item.content)
        first, other = self._first.put(hash((item.encoded, shape, tools)), item.row, content)
        if first == item.row or content == other:
            return None
        return self.flag(f"same text as row {first + 1:,} except for case, spaces or character width", of=first)
