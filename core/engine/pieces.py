"""Tokens as text that a person can read: not the vocabulary's glyphs, and never half a character."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any

from core.engine.encode import masks
from core.engine.encoded import Encoded, EncodingSettings, Sequence


@dataclass(frozen=True, slots=True)
class TokenText:
    """The text of one token, or of several that share a character.

    Attributes:
        text: as it stands in the rendered sample.
        trained: whether it carries loss.
        tokens: how many tokens it is.
    """

    text: str
    trained: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class SamplePart:
    """A part of a sample as a screen shows it.

    Attributes:
        name: `prompt`, `chosen` or `rejected`; `chunk 2 of 5` of a long text; "" for a whole conversation or text.
        pieces: its tokens after the cut, in order.
        sequence: the sequence that it belongs to; None for a prompt, which belongs to several.
    """

    name: str
    pieces: list[TokenText]
    sequence: Sequence | None


def parts_of(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[SamplePart]:
    """A sample in parts; the prompt of a pair once.

    Args:
        encoded: with its text (`with_text=True`).
        tokenizer: for tokens that are not in the text, such as one that begins every sequence.
        settings: it was encoded with.
    """
    found: list[SamplePart] = []
    many = len(encoded.sequences)
    for number, (sequence, mask) in enumerate(
        zip(encoded.sequences, masks(encoded, tokenizer, settings), strict=True), start=1
    ):
        pieces = _pieces(sequence, mask, tokenizer)
        if not sequence.answer:
            found.append(SamplePart(f"chunk {number:,} of {many:,}" if many > 1 else "", pieces, sequence))
            continue
        start = next((place for place, piece in enumerate(pieces) if piece.trained), len(pieces))
        if not found and start:
            found.append(SamplePart("prompt", pieces[:start], None))
        found.append(SamplePart(sequence.answer, pieces[start:], sequence))
    return found


def _pieces(sequence: Sequence, mask: Several[bool], tokenizer: Any) -> list[TokenText]:
    """The kept tokens of a sequence in order; their texts joined are the rendered text up to or from the cut."""
    found: list[TokenText] = []
    offsets = sequence.offsets[sequence.first_kept :]
    start = end = offsets[0][0] if sequence.first_kept else 0  # of the piece that is being collected
    tokens = 0
    trained = False
    for place, token in enumerate(sequence.input_ids):
        first, last = offsets[place]
        carries = mask[place]
        if tokens and first >= end:
            found.append(TokenText(sequence.text[start:end], trained, tokens))
            start, tokens, trained = end, 0, False
        if first == last:  # in no place of the text
            own = tokenizer.decode([token]) if not tokens else ""
            # Half a character is the rest of one that the chunk before has shown.
            found.append(TokenText("" if "\ufffd" in own else own, carries, 1))
            continue
        end = max(end, last)
        tokens += 1
        trained = trained or carries
    if tokens:
        found.append(TokenText(sequence.text[start:end], trained, tokens))
    return found


def lost_text(sequence: Sequence) -> str:
    """The rendered text that the cut took away, or ""."""
    kept = len(sequence.input_ids)
    if kept >= len(sequence.offsets):
        return ""
    if sequence.first_kept:
        return sequence.text[: sequence.offsets[sequence.first_kept][0]]
    end = max((last for _, last in sequence.offsets[:kept]), default=0)
    return sequence.text[end:]
