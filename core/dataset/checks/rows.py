"""Rows that cannot be used unchanged, or that are also in the eval set."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.flag_names import UNREADABLE
from core.dataset.item import Item, digest


class UnreadableRow(Check):
    """A row that reads as JSON but cannot be formatted as a sample."""

    name = UNREADABLE
    title = "unreadable row"
    help = (
        "The row cannot become a sample: a column is missing, or its value has the wrong type. It is never trained on."
    )
    example = 'a dataset of `messages` with the row `{"prompt": "Hi"}`'
    advice = (
        "If many rows have it, set the format and columns (`M` on Data, or `--columns`). Otherwise fix "
        "the row in the file."
    )
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Repeats the reason."""
        return self.flag(item.error) if item.sample is None else None


class LeakExact(Check):
    """A prompt that is also in the eval set."""

    name = "leak_exact"
    title = "leak into the eval set"
    help = "The same prompt is in the eval set, so the eval score would reward memorizing."
    example = '`{"prompt": "What is 2+2?"}` in both files'
    advice = "Drop the row here or remove the prompt from the eval file."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Looks the normalized prompt up among those of the eval files."""
        if item.sample is None or not self.context.eval_prompts:
            return None
        asked = digest(item.prompt) if item.prompt else None
        place = None if asked is None else self.context.eval_prompts.get(asked)
        return None if place is None else self.flag(f"same prompt as in {place.words}", place=place)


class NonstandardJson(Check):
    """A row that only a lenient parser reads."""

    name = "nonstandard_json"
    title = "non-standard JSON"
    help = (
        "NaN, Infinity, a number that cannot be stored exactly (1e400, beyond 64 bits), a duplicate key or a lone "
        "surrogate: other tools reject this row or silently change it."
    )
    example = '`{"prompt": "q", "completion": "a", "score": NaN}`'
    advice = (
        "The reason names the value. Fix it in the file if the column is trained on, or if other tools read the file."
    )
    severity = "note"

    def inspect(self, item: Item) -> Flag | None:
        """Repeats what the parser said."""
        return self.flag(item.nonstandard) if item.nonstandard else None
