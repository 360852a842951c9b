"""A pair as TRL's ORPO and CPO trainers make tokens of it: rendered as text, which begins with BOS and ends with EOS.

Unlike DPO's trainer they tokenize text, add the tokens that begin and end a sequence where the template has none
there, and cut the answer alone: a prompt is always whole.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import Any

from core.dataset.sample import Sample
from core.engine import pairs
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence, carrying
from core.engine.pairs import ANSWERS, require_pair
from core.engine.template import as_template_turn, render
from core.errors import BadInput

stop_trained = pairs.stop_trained


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """Tokens and labels of one pair, as `core.engine.encode.encode`.

    A pair of which the cut leaves no answer carries no loss: its loss would not be a number.
    """
    require_pair(sample)
    settings.template.require()
    prompt, wholes = _texts(sample, tokenizer)
    prompt_ids = _ids(tokenizer, prompt)
    row: dict[str, list[int]] = {}
    sequences, begins = [], []
    for answer, whole in zip(ANSWERS, wholes, strict=True):
        rendered = tokenizer(text=whole, add_special_tokens=False, return_offsets_mapping=with_text)
        ids: list[int] = list(rendered["input_ids"])
        # The last token of the prompt may be another one where the answer follows.
        begin = len(prompt_ids) - (prompt_ids != ids[: len(prompt_ids)])
        begins.append((begin, ids))
        before = [tokenizer.bos_token_id] if _begins(tokenizer, ids, begin) else []
        after = [] if ids[begin:] and ids[-1] == tokenizer.eos_token_id else [tokenizer.eos_token_id]
        offsets: tuple[tuple[int, int], ...] = ()
        if with_text:
            end = len(whole)
            offsets = ((0, 0),) * len(before) + tuple(rendered["offset_mapping"]) + ((end, end),) * len(after)
        begin += len(before)
        tokens = before + ids + after
        labels = [MASKED] * begin + tokens[begin:]
        whole_sequence = Sequence(tokens, labels, text=whole if with_text else "", offsets=offsets, answer=answer)
        sequences.append(whole_sequence.cut(max(begin, settings.max_length)))
        row |= {f"{answer}_input_ids": sequences[-1].input_ids, f"{answer}_labels": sequences[-1].labels}
    _refuse_unlike(len(prompt_ids), *begins)
    if not all(carrying(sequence.labels) for sequence in sequences):
        sequences = [replace(each, labels=[MASKED] * len(each.labels)) for each in sequences]
    parts = {
        "prompt": begins[0][0],
        **{name: len(ids) - begin for name, (begin, ids) in zip(ANSWERS, begins, strict=True)},
    }
    return Encoded((row,), tuple(sequences), parts)


def _texts(sample: Sample, tokenizer: Any) -> tuple[str, list[str]]:
    """The text of the prompt as far as both conversations begin with it, and the text of each.

    Raises:
        BadInput: the prompt does not end with a turn that an answer can follow.
    """
    tools = list(sample.tools) or None
    turns = list(map(as_template_turn, sample.messages))
    last = turns[-1]["role"] if turns else ""
    if last not in ("user", "tool", "assistant"):
        raise BadInput(
            f"The prompt ends with a {last} turn" if last else "The pair has no prompt",
            do="End it with a user turn, or drop the pair",
        )
    continued = last == "assistant"
    prompt = render(tokenizer, turns, tools, add_generation_prompt=not continued, continue_final_message=continued)
    wholes = [
        render(tokenizer, turns + list(map(as_template_turn, answer)), tools)
        for answer in (sample.chosen, sample.rejected)
    ]
    for whole in wholes:
        prompt = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt, whole, strict=False)))
    return prompt, wholes


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text=text, add_special_tokens=False)["input_ids"])


def _begins(tokenizer: Any, ids: list[int], begin: int) -> bool:
    """Whether the sequence gets the token that begins one: it has none yet, and the tokenizer knows one."""
    bos = tokenizer.bos_token_id
    return bos is not None and (begin == 0 or ids[0] != bos)


def _refuse_unlike(length: int, one: tuple[int, list[int]], other: tuple[int, list[int]]) -> None:
    """Refuses what TRL refuses: the prompt, of so many tokens alone, may only differ in its last token.

    Raises:
        BadInput: they differ in more.
    """
    prompts = [ids[:begin] for begin, ids in (one, other)]
    differing = sum(a != b for a, b in zip(*prompts, strict=False))
    shorter = any(len(ids) < length for _, ids in (one, other))
    if shorter or differing > 1 or abs(one[0] - other[0]) > 1:
        raise BadInput(
            "The prompt is tokenized differently before each of the two answers, which TRL refuses here",
            do="Choose another chat template, set the task to dpo, or drop the pair",
        )


losses = pairs.losses


def collate(rows: list[dict[str, Any]], pad_token_id: int) -> dict[str, Any]:
    """Rows of the dataset as TRL's collator batches its own, which have an attention mask of ones as well.

    Args:
        rows: with the columns of the task.
        pad_token_id: fills sequences up.
    """
    from trl.experimental.utils import DPODataCollatorWithPadding

    whole = [
        {**row, **{f"{answer}_attention_mask": [1] * len(row[f"{answer}_input_ids"]) for answer in ANSWERS}}
        for row in rows
    ]
    batch: dict[str, Any] = DPODataCollatorWithPadding(pad_token_id=pad_token_id, is_encoder_decoder=False)(whole)
    return batch


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """Which tokens of either sequence are learned from as an answer: the labels that the collator hands on."""
    batch = collate([dict(row) for row in encoded.rows], tokenizer.pad_token_id)
    return [
        [label != MASKED for label in batch[f"{answer}_labels"][0].tolist()[: len(sequence.input_ids)]]
        for answer, sequence in zip(ANSWERS, encoded.sequences, strict=True)
    ]
