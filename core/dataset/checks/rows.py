"""Rows that cannot be used as they stand in the file, or that the eval set holds too."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.flag_names import UNREADABLE
from core.dataset.item import Item, digest


class UnreadableRow(Check):
    """A row that reads as JSON but cannot be formatted as a sample."""

    name = UNREADABLE
    title = "unreadable row"
    help = "The row does not have the data set's format; it is left out and never trained as empty text."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Repeats the reason."""
        return self.flag(item.error) if item.sample is None else None


class LeakExact(Check):
    """A prompt that the eval set holds too."""

    name = "leak_exact"
    title = "leak to the eval set"
    help = "The same question stands in the eval set: its score would measure memory and not skill."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Looks the normalised prompt up among those of the eval files."""
        if item.sample is None or not self.context.eval_prompts:
            return None
        asked = digest(item.prompt) if item.prompt else None
        place = None if asked is None else self.context.eval_prompts.get(asked)
        return None if place is None else self.flag(f"the same prompt stands in {place}")


class NonstandardJson(Check):
    """A row that only a lenient parser reads."""

    name = "nonstandard_json"
    title = "non-standard JSON"
    help = "NaN, Infinity or half a surrogate pair: other programs will refuse this row or silently change it."
    severity = "note"

    def inspect(self, item: Item) -> Flag | None:
        """Repeats what the parser said."""
        return self.flag(item.nonstandard) if item.nonstandard else None
