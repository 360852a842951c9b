"""A preference pair as two sequences, the prompt with each of its answers: the tokens that TRL's DPO trainer makes."""

from __future__ import annotations

from typing import Any

from core.dataset.rendered import LostPart
from core.dataset.sample import Sample
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence
from core.engine.rendered import rendered_check
from core.engine.template import as_template_turn, tokenize
from core.errors import BadInput

ANSWERS = ("chosen", "rejected")


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """Tokens and labels of one pair, as `core.engine.encode.encode`.

    As TRL does, an answer begins where the tokens of the prompt alone and those of the prompt with either answer part,
    and each sequence is cut by itself.
    """
    require_pair(sample)
    settings.template.require()
    tools = list(sample.tools) or None
    prompt = list(map(as_template_turn, sample.messages))
    talks = [prompt + list(map(as_template_turn, turns)) for turns in (sample.chosen, sample.rejected)]
    alone: list[int] = list(tokenize(tokenizer, prompt, tools, add_generation_prompt=True)["input_ids"])
    whole = [tokenize(tokenizer, talk, tools) for talk in talks]
    ids: list[list[int]] = [list(each["input_ids"]) for each in whole]
    shared = min(common_prefix(alone, each) for each in ids)
    sequences = []
    for answer, talk, rendered, tokens in zip(ANSWERS, talks, whole, ids, strict=True):
        text, offsets = "", ()
        if with_text:
            text = tokenizer.apply_chat_template(talk, tools=tools, tokenize=False)
            offsets = tuple(rendered.encodings[0].offsets)
        labels = [MASKED] * shared + tokens[shared:]
        sequence = Sequence(tokens, labels, text=text, offsets=offsets, answer=answer)
        sequences.append(sequence.cut(settings.max_length, keeps_end=settings.keeps_end))
    row = {"prompt_ids": alone[:shared], "chosen_ids": ids[0][shared:], "rejected_ids": ids[1][shared:]}
    parts = {name.removesuffix("_ids"): len(tokens) for name, tokens in row.items()}
    return Encoded((row,), tuple(sequences), parts)


def require_pair(sample: Sample) -> None:
    """Makes sure that a sample is a pair whose answers can be compared whole.

    Raises:
        BadInput: it is not.
    """
    if sample.kind != "preference":
        raise BadInput(
            "This sample is not a preference pair: it needs a chosen and a rejected answer",
            do="Train on preference data, or set the task to sft",
        )
    refuse_marks(sample)


def refuse_marks(sample: Sample) -> None:
    """Makes sure that no part of an answer is left out of the loss.

    Raises:
        BadInput: the data says so of one.
    """
    if any(not turn.trained or turn.untrained for turn in (*sample.chosen, *sample.rejected)):
        raise BadInput(
            "An answer of this sample is marked as not trained, but this task always learns from whole answers",
            do="Remove the mark, or drop the sample",
        )


def common_prefix(ids: list[int], others: list[int]) -> int:
    """How many leading tokens two sequences share, as `trl.data_utils.common_prefix_length` counts them."""
    pairs = enumerate(zip(ids, others, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(ids), len(others)))


def losses(sample: Sample, tokenizer: Any, settings: EncodingSettings) -> tuple[LostPart, ...]:
    """What either conversation holds and its rendered text does not."""
    template: str = tokenizer.get_chat_template(None, list(sample.tools) or None)
    check = rendered_check(tokenizer, template, marks=False)
    prompt = len(sample.messages)
    found: list[LostPart] = []
    for answer, turns in zip(ANSWERS, (sample.chosen, sample.rejected), strict=True):
        found += check.losses((*sample.messages, *turns), sample.tools, answer_from=prompt, answer=answer)
    return tuple(dict.fromkeys(found))


def stop_trained(settings: EncodingSettings) -> bool:
    """Answers are compared whole, with what the template ends them with."""
    return True


def collator(tokenizer: Any, max_length: int, *, keeps_end: bool = False) -> Any:
    """TRL's collator as its trainer makes it."""
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    mode = "keep_end" if keeps_end else "keep_start"
    return DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id, max_length=max_length, truncation_mode=mode)


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """Which tokens of either sequence are compared: the completion mask that the collator hands to the trainer."""
    collate = collator(tokenizer, settings.max_length, keeps_end=settings.keeps_end)
    batch = collate([dict(row) for row in encoded.rows])
    found: list[list[int]] = batch["completion_mask"].tolist()
    return [
        [bool(bit) for bit in mask[: len(sequence.input_ids)]]
        for mask, sequence in zip(found, encoded.sequences, strict=True)
    ]
