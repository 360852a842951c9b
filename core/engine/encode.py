"""One sample to tokens and labels: the only place where it happens.

Preview, counts, training and evaluation all go through `encode`, and what a batch looks like is decided by TRL's own
collator. The tokens and labels are those that TRL makes of the same sample, so the losses are equal to the last bit;
tests hold that. How a sample becomes the columns of a task's dataset is in one module each (`talks`, `pairs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, Protocol, cast

from core.clean import clean_line
from core.dataset.rendered import LostPart
from core.dataset.sample import Sample
from core.dataset.without import PARTS, REASONING, TOOL_CALLS, TOOLS, think_end, without
from core.engine.encoded import Encoded, EncodingSettings
from core.engine.rendered import PartsRefused, control_tokens
from core.errors import BadInput
from core.recipe.tasks import TASKS


class Encoder(Protocol):
    """What such a module does; the row of a task names it."""

    def encode(self, sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
        """Tokens and labels of one sample."""

    def losses(self, sample: Sample, tokenizer: Any, settings: EncodingSettings) -> tuple[LostPart, ...]:
        """What the sample holds and the rendered text does not."""

    def masks(self, encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
        """For each sequence, which of its tokens carry loss in the batch that TRL's collator makes."""

    def stop_trained(self, settings: EncodingSettings) -> bool:
        """Whether the token that ends an answer carries loss."""


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool = False) -> Encoded:
    """Tokens and labels of one sample, with what it holds and the rendered text does not.

    Args:
        sample: in the normal form.
        tokenizer: a fast tokenizer.
        settings: task, template, max length, and what carries loss.
        with_text: also keep the rendered text and each token's place in it, for a screen.

    Raises:
        BadInput: the task does not learn from such a sample, the template refuses it, or cannot mark its answers.
        PartsRefused: the template refuses it only for its tool calls, tools or reasoning.
    """
    form = _form(settings)
    rest = _rest(sample, settings)
    try:
        encoded = form.encode(rest, tokenizer, settings, with_text=with_text)
    except BadInput as error:
        refused = () if error.where or with_text else tuple(_refused_for(rest, tokenizer, settings, error))
        if not refused:
            raise
        raise PartsRefused(error, refused) from error
    lost, control = form.losses(rest, tokenizer, settings), control_tokens(rest, tokenizer)
    reduced = rest is not sample and rest != sample
    return (
        replace(encoded, losses=lost, control_tokens=control, reduced=reduced)
        if lost or control or reduced
        else encoded
    )


def _rest(sample: Sample, settings: EncodingSettings) -> Sample:
    """The sample without what is trained without.

    Raises:
        BadInput: nothing is left of an answer of a pair.
    """
    rest = without(sample, settings.train_without)
    for name, before, after in (("chosen", sample.chosen, rest.chosen), ("rejected", sample.rejected, rest.rejected)):
        if before and not after:
            gone = " and ".join(PARTS[part] for part in settings.train_without)
            raise BadInput(f"Without {gone}, nothing is left of the {name} answer", do="Drop the pair")
    return rest


def _refused_for(sample: Sample, tokenizer: Any, settings: EncodingSettings, error: BadInput) -> Iterator[LostPart]:
    """The parts for which a template refuses a sample that it would take without them."""
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    held = [
        (TOOLS, 0 if sample.tools else None),
        *(
            (part, next((number for number, turn in enumerate(turns, 1) if has(turn)), None))
            for part, has in (
                (TOOL_CALLS, lambda turn: turn.tool_calls or turn.role == "tool"),
                (REASONING, lambda turn: turn.reasoning or think_end(turn)),
            )
        ),
    ]
    parts = [(part, turn) for part, turn in held if turn is not None]
    if not parts:
        return
    try:
        _form(settings).encode(without(sample, [part for part, _ in parts]), tokenizer, settings, with_text=False)
    except BadInput:
        return
    for part, turn in parts:
        last = part == parts[-1][0]
        yield LostPart(part, turn, True, reason=clean_line(error.what, 200) if last else "")


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """For each sequence, which of its tokens carry loss in the batch that TRL's collator makes."""
    return _form(settings).masks(encoded, tokenizer, settings)


def stop_trained(settings: EncodingSettings) -> bool:
    """Whether the token that ends an answer carries loss, so that the model learns to stop."""
    return _form(settings).stop_trained(settings)


def _form(settings: EncodingSettings) -> Encoder:
    return cast(Encoder, import_module(f"core.engine.{TASKS[settings.task].encoder}"))
