"""RLOO: TRL's trainer on prompts, with the rewards of the recipe."""

from __future__ import annotations

from typing import Any

from trl import RLOOConfig, RLOOTrainer

from core.recipe.recipe import Recipe
from core.training.rollouts import OnlineTrainer
from core.training.tasks import TaskTraining, online


class LeaveOneOutTrainer(OnlineTrainer, RLOOTrainer):
    """TRL's RLOO trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `RLOOConfig` beyond those that all tasks share."""
    rloo = recipe.rloo
    found = {
        "beta": rloo.beta,
        "epsilon": rloo.epsilon,
        "epsilon_high": rloo.epsilon_high or None,
        "normalize_advantages": rloo.normalize_advantages,
        "reward_clip_range": (-rloo.reward_clip, rloo.reward_clip) if rloo.reward_clip else None,
    }
    return {**online.settings(recipe), **found}


TRAINING = TaskTraining(LeaveOneOutTrainer, RLOOConfig, settings, companions=online.companions, lacks=online.LACKS)
