"""A prompt that the model answers during training, with what rewards may read: a row for TRL's online trainers.

No token of it carries loss. The tokens are those that TRL makes of the same prompt when it generates.
"""

from __future__ import annotations

from typing import Any

from core.dataset.rendered import LostPart
from core.dataset.sample import Message, Sample
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence
from core.engine.rendered import rendered_check
from core.engine.template import as_template_turn, tokenize
from core.errors import BadInput
from core.recipe.rewards import ANSWER


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """The prompt as tokens, and the row of the trainer's dataset, as `core.engine.encode.encode`.

    The row's `row` holds `prompt` (turns, or a text), `answer` (the data's own, or None) and the further columns.
    """
    turns, answer = parted(sample)
    text, offsets = "", ()
    if sample.kind == "text":
        encoding = tokenizer(text=sample.text, return_offsets_mapping=with_text)
        ids: list[int] = list(encoding["input_ids"])
        prompt: Any = sample.text
        if with_text:
            text, offsets = sample.text, tuple(encoding["offset_mapping"])
    else:
        settings.template.require()
        prompt = list(map(as_template_turn, turns))
        rendered = tokenize(tokenizer, prompt, None, add_generation_prompt=True)
        ids = list(rendered["input_ids"])
        if with_text:
            text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
            offsets = tuple(rendered.encodings[0].offsets)
    if len(ids) > settings.max_length and not with_text:
        raise BadInput(
            f"The prompt has {len(ids):,} tokens, more than the max length of {settings.max_length:,}; "
            "a prompt is never cut",
            do="Raise data.max_length, or drop the row",
        )
    row = {"prompt": prompt, ANSWER: answer, **sample.columns}
    sequence = Sequence(ids, [MASKED] * len(ids), text=text, offsets=offsets)
    return Encoded(({"prompt_ids": ids, "row": row},), (sequence,), {"prompt": len(ids)}, generated=True)


def parted(sample: Sample) -> tuple[tuple[Message, ...], str | None]:
    """The turns that the model answers, and the data's own answer to them; None where it has none.

    Raises:
        BadInput: the sample has no prompt, or tools, which TRL does not hand to the template here.
    """
    if sample.kind not in ("messages", "prompt", "text"):
        raise BadInput("This sample is not a prompt", do="Train on prompts or conversations, or choose another task")
    if sample.tools:
        raise BadInput("The sample has tools, which cannot be called during training", do="Drop the row")
    if sample.kind == "text":
        if not sample.text.strip():
            raise BadInput("The prompt is empty", do="Drop the row")
        return (), None
    turns = sample.messages
    answer = None
    if turns and turns[-1].role == "assistant":
        answer, turns = turns[-1].content, turns[:-1]
    if not any(turn.role == "user" for turn in turns):
        raise BadInput("The sample has no user turn to answer", do="Drop the row")
    return turns, answer


def losses(sample: Sample, tokenizer: Any, settings: EncodingSettings) -> tuple[LostPart, ...]:
    """What the prompt holds and the rendered text does not."""
    if sample.kind == "text":
        return ()
    template: str = tokenizer.get_chat_template(None, None)
    turns, _ = parted(sample)
    return tuple(rendered_check(tokenizer, template, marks=False).losses(turns, (), answer_from=len(turns), answer=""))


def stop_trained(settings: EncodingSettings) -> bool:
    """The model's answers end with the token that ends them, or are cut off."""
    return True


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """No token of a prompt carries loss."""
    return [[False] * len(sequence.input_ids) for sequence in encoded.sequences]
