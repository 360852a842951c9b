"""What of a sample is compared."""

from __future__ import annotations

from core.dataset.item import Item, normalize, said
from core.dataset.near.result import Fields
from core.dataset.sample import Sample


def compared(item: Item, fields: Fields) -> str:
    """The text of a row that counts, normalized; "" where it has none.

    Args:
        item: a row with a sample.
        fields: the user's choice; plain text counts whole.
    """
    sample = item.sample
    if sample is None or sample.kind == "text" or fields in ("all", "whole"):
        return item.normalized
    if fields == "prompt":
        return item.prompt
    return normalize(answer_text(sample))


def answer_text(sample: Sample) -> str:
    """All that the answer says: the last assistant turn with its reasoning and calls, or each rated answer."""
    if sample.kind == "text":
        return sample.text
    if sample.kind == "messages":
        return next((said(turn) for turn in reversed(sample.messages) if turn.role == "assistant"), "")
    return "\n".join(said(turn) for turn in sample.chosen + sample.rejected)


def system_text(sample: Sample) -> str:
    """The system prompt that a conversation begins with, or ""."""
    first = sample.messages[:1]
    return first[0].content if first and first[0].role == "system" else ""
