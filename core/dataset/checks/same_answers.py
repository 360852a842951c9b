"""Pairs whose two answers are the same."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item


class SameAnswers(Check):
    """The chosen answer of a pair equals the rejected one."""

    name = "same_answers"
    title = "chosen equals rejected"
    help = "The chosen and the rejected answer are the same, so there is no preference to learn."
    example = '`{"prompt": "Hi", "chosen": "Hello!", "rejected": "hello!"}`'
    advice = "Drop the row, or write a different rejected answer."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Compares all that the two answers say, also normalized."""
        sample = item.sample
        if sample is None or sample.kind != "preference" or not item.ends:
            return None
        end, middle = len(sample.messages), len(sample.messages) + len(sample.chosen)
        first = item.ends[end - 1] if end else 0
        then = item.ends[middle - 1] if middle else 0
        if item.normalized[first:then].strip() != item.normalized[then:].strip():
            return None
        if _calls(item, end, middle) != _calls(item, middle, len(item.turns)):
            return None
        if [turn.content for turn in sample.chosen] == [turn.content for turn in sample.rejected]:
            return self.flag("chosen and rejected are the same, word for word")
        return self.flag("chosen and rejected are the same except for case, spaces or character width")


def _calls(item: Item, start: int, end: int) -> list[int]:
    """How many tool calls stand in each of some turns: calls and texts that read alike are not the same."""
    return [len(turn.tool_calls) for turn in item.turns[start:end]]
