"""Sample outputs: a few fixed prompts, answered by the model while it trains."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import positive
from core.recipe.declare import knob
from core.recipe.sections.data import HELD_OUT

_ANSWERED = positive("samples.every")


@dataclass(frozen=True, slots=True)
class Samples:
    """Sample outputs for a few fixed prompts while the model trains."""

    every: float = knob(
        0.25,
        title="Sample every",
        help="Steps between rounds of sample outputs; a value below 1 is a share of all steps (0.25: four "
        "rounds). The base model answers first. Set 0 for none.",
        consequence="Shows early what the model is learning. It does not change training.",
        unit="steps, or a share if below 1",
        ge=0,
    )
    number: int = knob(
        3,
        title="Held-out prompts",
        help="How many prompts to take from the held-out samples: the first ones with a prompt and an answer.",
        consequence="Each prompt costs one answer per round.",
        unit="prompts",
        ge=0,
        le=100,
        when=HELD_OUT & _ANSWERED,
    )
    prompts: tuple[str, ...] = knob(
        (),
        title="Your own prompts",
        help="More prompts to sample, each a single user message.",
        consequence="They are listed first and are not trained on.",
        when=_ANSWERED,
    )
    max_new_tokens: int = knob(
        64,
        title="Max new tokens",
        help="Answers are cut off after this many tokens.",
        consequence="A model that has not learned to stop uses the full length each time.",
        unit="tokens",
        ge=1,
        advanced=True,
        when=_ANSWERED,
    )
