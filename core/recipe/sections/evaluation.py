"""The comparison after training: base against tuned model on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import on, positive
from core.recipe.declare import knob
from core.recipe.sections.data import HELD_OUT
from core.recipe.tasks import tasks_that_write

_COMPARED = HELD_OUT & on("evaluation.after_training")
_COMPARABLE = _COMPARED & tasks_that_write()
_ANSWERED = _COMPARABLE & positive("evaluation.prompts")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The comparison of the base and tuned models after training."""

    after_training: bool = knob(
        True,
        title="Compare after training",
        help="Generates answers to held-out prompts with the base and the tuned model, and measures the eval loss of "
        "both.",
        consequence="Takes a few minutes at the end and shows what the run changed.",
        when=HELD_OUT,
    )
    prompts: int = knob(
        20,
        title="Prompts",
        help="How many held-out prompts both models answer. Set 0 to compare only the losses.",
        consequence="The time grows in proportion.",
        unit="prompts",
        ge=0,
        when=_COMPARABLE,
    )
    max_new_tokens: int = knob(
        256,
        title="Max new tokens",
        help="Answers are cut off after this many tokens.",
        consequence="If it is too low, you cannot see how answers end; a model that never stops uses "
        "the full length each time.",
        unit="tokens",
        ge=1,
        when=_ANSWERED,
    )
    batch_size: int = knob(
        8,
        title="Generation batch size",
        help="How many prompts are answered at a time.",
        consequence="A larger batch is faster and needs more memory.",
        unit="prompts",
        ge=1,
        advanced=True,
        when=_ANSWERED,
    )
    temperature: float = knob(
        0.0,
        title="Temperature",
        help="0 always picks the most likely token, so that the base and tuned models differ only by training.",
        consequence="Above 0, two evaluations of the same model differ as well.",
        ge=0,
        le=5,
        advanced=True,
        when=_ANSWERED,
    )
