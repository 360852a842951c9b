"""A prompt and its completion as plain text, without a chat template: as TRL reads prompt-completion data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.dataset.plain import why_no_plain_pair, why_no_plain_prompt
from core.dataset.sample import Message
from core.engine.encoded import MASKED
from core.engine.encoded import Sequence as Tokens
from core.errors import BadInput


def encode_plain(
    turns: Sequence[Message], tools: Sequence[dict[str, Any]], tokenizer: Any, *, everything: bool, with_text: bool
) -> Tokens:
    """A prompt with its completion as tokens and labels: those that TRL's SFT trainer makes of the two texts.

    The completion ends with the end-of-sequence token. It begins where the tokens of the prompt alone and those of the
    whole text part.

    Args:
        turns: the prompt, and the completion as the last one.
        tools: of the sample; there must be none.
        tokenizer: of the model.
        everything: whether the prompt carries loss, too.
        with_text: also keep the text and each token's place in it.

    Raises:
        BadInput: the conversation is more than a prompt and a completion.
    """
    if wrong := why_no_plain_pair(turns, tools):
        raise _refused(wrong)
    prompt, answer = turns[0].content, turns[-1]
    end = "" if answer.content.endswith(tokenizer.eos_token) else tokenizer.eos_token
    text = f"{prompt}{answer.content}{end}"
    encoding = tokenizer(text=text, return_offsets_mapping=with_text or bool(answer.untrained))
    ids: list[int] = list(encoding["input_ids"])
    offsets = tuple(encoding.get("offset_mapping", ()))
    begins = shared_prefix(list(tokenizer(text=prompt)["input_ids"]), ids)
    labels = list(ids) if everything else [MASKED] * begins + ids[begins:]
    if not answer.trained:
        labels[begins:] = [MASKED] * (len(ids) - begins)
    for first, last in answer.untrained:
        for place, (start, stop) in enumerate(offsets):
            if start < len(prompt) + last and stop > len(prompt) + first:
                labels[place] = MASKED
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:  # the text has one, and the tokenizer adds one
        ids, labels, offsets = ids[1:], labels[1:], offsets[1:]
    return Tokens(ids, labels, text=text if with_text else "", offsets=offsets if with_text else ())


def plain_prompt_ids(turns: Sequence[Message], tools: Sequence[dict[str, Any]], tokenizer: Any) -> list[int]:
    """The tokens of a prompt alone, as a server's completions endpoint makes them.

    Raises:
        BadInput: the conversation is more than a prompt.
    """
    if wrong := why_no_plain_prompt(turns, tools):
        raise _refused(wrong)
    ids: list[int] = list(tokenizer(text=turns[0].content)["input_ids"])
    return ids[1:] if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id else ids


def moved_boundary(turns: Sequence[Message], tokenizer: Any) -> bool:
    """Whether the end of a plain prompt is other tokens before its completion than alone, as a server sends it."""
    prompt = turns[0].content
    alone: list[int] = list(tokenizer(text=prompt)["input_ids"])
    return shared_prefix(alone, list(tokenizer(text=f"{prompt}{turns[-1].content}")["input_ids"])) < len(alone)


def shared_prefix(ids: Sequence[int], others: Sequence[int]) -> int:
    """How many leading tokens two sequences share, as `trl.data_utils.common_prefix_length` counts them."""
    pairs = enumerate(zip(ids, others, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(ids), len(others)))


def _refused(wrong: str) -> BadInput:
    return BadInput(
        f"Without a chat template, a sample is one prompt and one completion, but this one has {wrong}",
        do="Set model.chat_template to a chat template, such as chatml, or drop the sample",
    )
