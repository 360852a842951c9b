"""The comparison after training: base against tuned on samples that were held out."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import on, positive
from core.recipe.declare import knob
from core.recipe.sections.data import HELD_OUT

_COMPARED = HELD_OUT & on("evaluation.after_training")
_ANSWERED = _COMPARED & positive("evaluation.prompts")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The comparison of base and tuned model after training."""

    after_training: bool = knob(
        True,
        title="Compare at the end",
        help="Answer held-out prompts with the base and the tuned model, and measure the eval loss of both.",
        consequence="Adds minutes at the end, and shows what the run has changed.",
        when=HELD_OUT,
    )
    prompts: int = knob(
        20,
        title="Prompts",
        help="How many held-out samples are answered by both models. 0: only the losses.",
        consequence="Time grows in proportion.",
        unit="samples",
        ge=0,
        when=_COMPARED,
    )
    max_new_tokens: int = knob(
        256,
        title="Answer length",
        help="An answer is cut after this many tokens.",
        consequence="Too short hides how answers end; a model that never stops costs the full length each time.",
        unit="tokens",
        ge=1,
        when=_ANSWERED,
    )
    batch_size: int = knob(
        8,
        title="Batch size",
        help="Prompts answered at once.",
        consequence="Faster, for more memory.",
        unit="samples",
        ge=1,
        advanced=True,
        when=_ANSWERED,
    )
    temperature: float = knob(
        0.0,
        title="Temperature",
        help="0 always takes the likeliest token, so that base and tuned differ by training alone.",
        consequence="Above 0, two runs of the same model differ too.",
        ge=0,
        le=5,
        advanced=True,
        when=_ANSWERED,
    )
