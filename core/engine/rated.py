"""Rated answers: a prompt with one answer, good or bad, as TRL's KTO trainer makes tokens of them.

A pair counts as two of them, its chosen answer as good and its rejected one as bad, as `trl.unpair_preference_dataset`
has it.
"""

from __future__ import annotations

from typing import Any

from core.dataset.rendered import LostPart
from core.dataset.sample import Message, Sample
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence, carrying
from core.engine.pairs import common_prefix, refuse_marks
from core.engine.rendered import rendered_check
from core.engine.template import as_template_turn, render, tokenize
from core.errors import BadInput

GOOD, BAD = "good", "bad"
"""What the answer of a rated sample is called; those of a pair are called `chosen` and `rejected`."""


def answers_of(sample: Sample) -> list[tuple[str, tuple[Message, ...], bool]]:
    """The answers of a sample: of each its name, its turns, and whether it is a good one.

    Raises:
        BadInput: it is neither a rated answer nor a pair.
    """
    if sample.kind == "preference":
        return [("chosen", sample.chosen, True), ("rejected", sample.rejected, False)]
    if sample.kind != "kto" or sample.label is None:
        raise BadInput(
            "This sample has no rating: it needs an answer with a label (good or bad), or a chosen and a rejected "
            "answer",
            do="Train on rated answers or preference pairs, or set the task to sft",
        )
    return [(GOOD if sample.label else BAD, sample.chosen, sample.label)]


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """Tokens and labels of each answer after its prompt, as `core.engine.encode.encode`.

    As TRL does, the answer begins where the tokens of the prompt alone and those of prompt and answer part, the
    sequence is cut at its end, and an answer of which the cut leaves nothing is dropped.
    """
    answers = answers_of(sample)
    settings.template.require()
    refuse_marks(sample)
    tools = list(sample.tools) or None
    prompt = list(map(as_template_turn, sample.messages))
    alone: list[int] = list(tokenize(tokenizer, prompt, tools, add_generation_prompt=True)["input_ids"])
    rows, sequences, parts = [], [], {"prompt": len(alone)}
    for name, turns, label in answers:
        talk = prompt + list(map(as_template_turn, turns))
        rendered = tokenize(tokenizer, talk, tools)
        ids: list[int] = list(rendered["input_ids"])
        shared = common_prefix(alone, ids)
        text, offsets = "", ()
        if with_text:
            text, offsets = render(tokenizer, talk, tools), tuple(rendered.encodings[0].offsets)
        labels = [MASKED] * shared + ids[shared:]
        sequences.append(Sequence(ids, labels, text=text, offsets=offsets, answer=name).cut(settings.max_length))
        rows.append({"prompt_ids": alone[:shared], "completion_ids": ids[shared:], "label": label})
        parts[name] = len(ids) - shared
    kept = [carrying(sequence.labels) > 0 for sequence in sequences]
    if any(kept) and not all(kept):
        rows = [row for row, keep in zip(rows, kept, strict=True) if keep]
        sequences = [sequence for sequence, keep in zip(sequences, kept, strict=True) if keep]
    return Encoded(tuple(rows), tuple(sequences), parts)


def losses(sample: Sample, tokenizer: Any, settings: EncodingSettings) -> tuple[LostPart, ...]:
    """What each conversation holds and its rendered text does not."""
    template: str = tokenizer.get_chat_template(None, list(sample.tools) or None)
    check = rendered_check(tokenizer, template, marks=False)
    found: list[LostPart] = []
    for name, turns, _ in answers_of(sample):
        answer = name if sample.kind == "preference" else ""
        found += check.losses((*sample.messages, *turns), sample.tools, answer_from=len(sample.messages), answer=answer)
    return tuple(dict.fromkeys(found))


def stop_trained(settings: EncodingSettings) -> bool:
    """Answers are learned from whole, with what the template ends them with."""
    return True


def collator(tokenizer: Any, max_length: int) -> Any:
    """TRL's collator as its trainer makes it."""
    from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

    return DataCollatorForUnpairedPreference(pad_token_id=tokenizer.pad_token_id, max_length=max_length)


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """Which tokens of each sequence are learned from: the completion mask that the collator hands to the trainer."""
    batch = collator(tokenizer, settings.max_length)([dict(row) for row in encoded.rows])
    found: list[list[int]] = batch["completion_mask"].tolist()
    return [
        [bool(bit) for bit in mask[: len(sequence.input_ids)]]
        for mask, sequence in zip(found, encoded.sequences, strict=True)
    ]
