"""A pair as TRL's reward trainer makes tokens of it: two whole conversations, each of which gets one score.

The score is read at the last token and depends on all of them, so all count as trained. A pair of which either
conversation is longer than the max length is dropped, as TRL drops it: a score of half an answer would be of another.
"""

from __future__ import annotations

from typing import Any

from core.dataset.sample import Sample
from core.engine import pairs
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence
from core.engine.pairs import ANSWERS, require_pair
from core.engine.template import as_template_turn, render, tokenize

losses = pairs.losses
stop_trained = pairs.stop_trained


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """Tokens of one pair, as `core.engine.encode.encode`."""
    require_pair(sample)
    settings.template.require()
    tools = list(sample.tools) or None
    prompt = list(map(as_template_turn, sample.messages))
    row: dict[str, list[int]] = {}
    sequences: list[Sequence] = []
    for answer, turns in zip(ANSWERS, (sample.chosen, sample.rejected), strict=True):
        talk = prompt + list(map(as_template_turn, turns))
        rendered = tokenize(tokenizer, talk, tools)
        ids: list[int] = list(rendered["input_ids"])
        text, offsets = "", ()
        if with_text:
            text, offsets = render(tokenizer, talk, tools), tuple(rendered.encodings[0].offsets)
        row[f"{answer}_ids"] = ids
        sequences.append(Sequence(ids, list(ids), text=text, offsets=offsets, answer=answer))
    parts = {answer: len(sequence.input_ids) for answer, sequence in zip(ANSWERS, sequences, strict=True)}
    if any(len(sequence.input_ids) > settings.max_length for sequence in sequences):
        sequences = [_dropped(sequence, settings.max_length) for sequence in sequences]
    return Encoded((row,), tuple(sequences), parts)


def _dropped(sequence: Sequence, length: int) -> Sequence:
    """A sequence without loss; one that is too long also loses its end, so that counts say why."""
    cut = sequence.cut(length)
    return Sequence(
        cut.input_ids,
        [MASKED] * len(cut.input_ids),
        lost_tokens=cut.lost_tokens,
        lost_trained=cut.lost_trained,
        text=cut.text,
        offsets=cut.offsets,
        answer=cut.answer,
    )


def collator(tokenizer: Any) -> Any:
    """TRL's collator as its trainer makes it."""
    from trl.trainer.reward_trainer import DataCollatorForPreference

    return DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id)


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """Which tokens the score depends on: all that the collator hands to the trainer, or none of a dropped pair."""
    if not encoded.carries_loss:
        return [[False] * len(sequence.input_ids) for sequence in encoded.sequences]
    batch = collator(tokenizer)([dict(row) for row in encoded.rows])
    found: list[list[int]] = batch["attention_mask"].tolist()
    return [
        [bool(bit) for bit in mask[: len(sequence.input_ids)]]
        for mask, sequence in zip(found, encoded.sequences, strict=True)
    ]
