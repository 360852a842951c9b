"""RLOO: each completion against the mean of the others."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class Rloo:
    """Settings of RLOO (REINFORCE leave-one-out); only used by the task rloo."""

    beta: float = knob(
        0.05,
        title="KL beta",
        help="How strongly the model is kept close to the base model: the KL times beta is subtracted from the reward.",
        consequence="Above 0, full fine-tuning also holds the base model in memory.",
        ge=0,
        le=10,
        source="TRL's RLOOConfig; Back to Basics, arXiv 2402.14740",
        witness=argument("beta"),
    )
    epsilon: float = knob(
        0.2,
        title="Epsilon",
        help="How far the probability of a completion may move before it is clipped.",
        consequence="Only matters when completions are reused: several iterations, or several steps per generation.",
        gt=0,
        le=10,
        advanced=True,
        witness=argument("epsilon"),
    )
    epsilon_high: float = knob(
        0.0,
        title="Epsilon high",
        help="A separate limit for probabilities that rise. 0 uses epsilon.",
        consequence="A higher value lets unlikely completions become likely faster.",
        ge=0,
        le=100,
        advanced=True,
        witness=argument("epsilon_high"),
    )
    normalize_advantages: bool = knob(
        False,
        title="Normalize advantages",
        help="Divides advantages by their standard deviation in the batch.",
        consequence="Steadier when the scale of the rewards changes during the run.",
        advanced=True,
        witness=argument("normalize_advantages"),
    )
    reward_clip: float = knob(
        0.0,
        title="Clip rewards at",
        help="Rewards are clipped to this size in both directions. 0 for no limit.",
        consequence="Keeps one extreme reward-model score from dominating a step.",
        ge=0,
        advanced=True,
        witness=argument("reward_clip_range", lambda recipe: (-recipe.rloo.reward_clip, recipe.rloo.reward_clip)),
    )
