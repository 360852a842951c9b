"""GRPO: TRL's trainer on prompts, with the rewards of the recipe."""

from __future__ import annotations

from typing import Any

from trl import GRPOConfig, GRPOTrainer

from core.recipe.recipe import Recipe
from core.training.rollouts import OnlineTrainer
from core.training.tasks import TaskTraining, online


class GroupTrainer(OnlineTrainer, GRPOTrainer):
    """TRL's GRPO trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `GRPOConfig` beyond those that all tasks share."""
    grpo = recipe.grpo
    found = {
        "loss_type": grpo.loss_type,
        "beta": grpo.beta,
        "scale_rewards": grpo.scale_rewards,
        "importance_sampling_level": grpo.importance_sampling_level,
        "top_entropy_quantile": grpo.top_entropy_quantile,
        "entropy_coef": grpo.entropy_coef,
        "multi_objective_aggregation": grpo.multi_objective_aggregation,
        "epsilon": grpo.epsilon,
        "epsilon_high": grpo.epsilon_high or None,
        "sapo_temperature_neg": grpo.sapo_temperature_neg,
        "sapo_temperature_pos": grpo.sapo_temperature_pos,
        "use_bias_correction_kl": grpo.use_bias_correction_kl,
    }
    return {**online.settings(recipe), **found}


TRAINING = TaskTraining(GroupTrainer, GRPOConfig, settings, companions=online.companions, lacks=online.LACKS)
