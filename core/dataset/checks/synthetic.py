"""Rows that are marked as synthetic."""

from __future__ import annotations

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item
from core.dataset.synthetic import NAME, marker


class Synthetic(Check):
    """A row that was made by augmentation, as a column of it says."""

    name = NAME
    title = "synthetic"
    help = "A column marks the row as made by augmentation: it may be trained on, and is never held out for eval."
    severity = "note"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._marked = marker(context.synthetic)

    def inspect(self, item: Item) -> Flag | None:
        """Looks into the parsed row."""
        marked = item.value is not None and self._marked(item.value)
        return self.flag("marked as synthetic in the data") if marked else None
