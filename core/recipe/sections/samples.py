"""Samples while it trains: a few fixed prompts, answered again and again by the model in training."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import positive
from core.recipe.declare import knob
from core.recipe.sections.data import HELD_OUT

_ANSWERED = positive("samples.every")


@dataclass(frozen=True, slots=True)
class Samples:
    """The answers of the model in training to a few fixed prompts."""

    every: float = knob(
        0.25,
        title="Answer every",
        help="Steps between two rounds of answers; below 1 it is a share of all steps (0.25: four times). The base "
        "model answers first. 0: never.",
        consequence="Shows what is learned long before the end; the losses stay the same to the last bit.",
        unit="steps, or a share below 1",
        ge=0,
    )
    number: int = knob(
        3,
        title="Held-out prompts",
        help="How many prompts are taken from the held-out samples, the first ones that have a question and an answer.",
        consequence="Each costs an answer in every round.",
        unit="prompts",
        ge=0,
        le=100,
        when=HELD_OUT & _ANSWERED,
    )
    prompts: tuple[str, ...] = knob(
        (),
        title="Prompts of your own",
        help="Questions besides those, each a single turn of a user.",
        consequence="They come first; nothing is trained on them.",
        when=_ANSWERED,
    )
    max_new_tokens: int = knob(
        64,
        title="Answer length",
        help="An answer is cut after this many tokens.",
        consequence="A model that has not learned to stop costs the full length each time.",
        unit="tokens",
        ge=1,
        advanced=True,
        when=_ANSWERED,
    )
