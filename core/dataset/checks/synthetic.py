"""Rows that are marked as synthetic."""

from __future__ import annotations

from core.dataset.checks.base import Check, Context, Flag
from core.dataset.item import Item
from core.dataset.synthetic import NAME, marker


class Synthetic(Check):
    """A row that a column marks as made by augmentation."""

    name = NAME
    title = "synthetic"
    help = "A column marks the row as synthetic (made by augmentation). It can be trained on and is never held out."
    example = '`{"prompt": "q", "completion": "a", "synthetic": true}`'
    advice = (
        "Nothing, or add `synthetic` to `data.drop_flags` to train without these rows. `data.synthetic` names"
        " the column."
    )
    severity = "note"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._marked = marker(context.synthetic)

    def inspect(self, item: Item) -> Flag | None:
        """Looks into the parsed row."""
        marked = item.value is not None and self._marked(item.value)
        return self.flag("marked as synthetic in the data") if marked else None
