"""Classes that hardly occur, where the answers are labels."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item

_ROWS_NEEDED = 50
_MOST_LABELS = 24
_LONGEST_LABEL = 40
_RARE = 0.1


class LabelImbalance(Check):
    """A label with less than a tenth of the rows of the commonest one."""

    name = "label_imbalance"
    title = "rare label"
    help = "All answers are a few short labels, and this one is less than a tenth as common as the most common label."
    example = "5 rows of `spam` among 95 of `ham`"
    advice = (
        "Add rows with this label, or stratify the split with `data.stratify: answer` so that the eval set has some."
    )
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._labels: dict[str, int] = {}
        self._rows = array("L")
        self._numbers = array("B")
        self._free_text = False

    def inspect(self, item: Item) -> Flag | None:
        """Notes the label, until one answer too many shows that the answers are none."""
        sample = item.sample
        if self._free_text or sample is None or sample.kind in ("text", "preference"):
            return None
        label = ("undesirable", "desirable")[bool(sample.label)] if sample.kind == "kto" else sample.answer.strip()
        if not label:
            return None  # another check's
        number = self._labels.setdefault(label, len(self._labels))
        self._free_text = len(label) > _LONGEST_LABEL or number >= _MOST_LABELS
        self._rows.append(item.row)
        self._numbers.append(number)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the rows of rare labels, in data where each label could have several rows."""
        if self._free_text or len(self._rows) < max(_ROWS_NEEDED, 5 * len(self._labels)):
            return
        labels = list(self._labels)
        counts = Counter(self._numbers)
        ((usual, most),) = counts.most_common(1)
        for row, number in zip(self._rows, self._numbers, strict=True):
            times = counts[number]
            if times < _RARE * most:
                yield row, self.flag(f"{labels[number]} is the answer in {times:,} rows, {labels[usual]} in {most:,}")
