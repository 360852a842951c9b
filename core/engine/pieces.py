"""Tokens as text that a person can read: not the vocabulary's glyphs, and never half a character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.engine.encode import MASKED, Encoded, collate


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one token, or of several that share a character.

    Attributes:
        text: as it stands in the rendered sample.
        trained: whether it carries loss.
        tokens: how many tokens it is.
    """

    text: str
    trained: bool
    tokens: int


def pieces(encoded: Encoded, tokenizer: Any) -> list[Piece]:
    """The kept tokens of a sample in order; their texts joined are the rendered text up to the cut.

    Whether a piece is trained is read from the labels that the collator hands to the model.

    Args:
        encoded: with its text (`with_text=True`).
        tokenizer: for tokens that are not in the text, such as one that begins every sequence.
    """
    labels: list[int] = collate([encoded], tokenizer)["labels"][0].tolist()
    found: list[Piece] = []
    start = end = tokens = 0  # of the piece that is being collected
    trained = False
    for place, token in enumerate(encoded.input_ids):
        first, last = encoded.offsets[place]
        carries = labels[place] != MASKED
        if tokens and first >= end:
            found.append(Piece(encoded.text[start:end], trained, tokens))
            start, tokens, trained = end, 0, False
        if first == last:  # in no place of the text
            found.append(Piece(tokenizer.decode([token]) if not tokens else "", carries, 1))
            continue
        end = max(end, last)
        tokens += 1
        trained = trained or carries
    if tokens:
        found.append(Piece(encoded.text[start:end], trained, tokens))
    return found


def lost_text(encoded: Encoded) -> str:
    """The rendered text that the cut took away, or ""."""
    kept = len(encoded.input_ids)
    if kept >= len(encoded.offsets):
        return ""
    end = max((last for _, last in encoded.offsets[:kept]), default=0)
    return encoded.text[end:]
