"""Training a reward model: how its scores are held near 0."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class RewardModel:
    """Settings for training a reward model; only used by the task reward."""

    center: float = knob(
        0.0,
        title="Center rewards",
        help="The weight of a term that pulls the two scores of a pair toward a sum of 0. 0 turns it off.",
        consequence="0.01 keeps scores of different prompts comparable, which online training needs.",
        ge=0,
        le=10,
        source="Eisenstein et al., arXiv 2312.09244; TRL's RewardConfig (center_rewards_coefficient, 0.01)",
        witness=argument("center_rewards_coefficient"),
    )
