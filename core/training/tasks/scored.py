"""Reward models: TRL's reward trainer on pairs of whole conversations that come as tokens."""

from __future__ import annotations

from typing import Any

from trl import RewardConfig, RewardTrainer

from core.recipe.recipe import Recipe
from core.recipe.tasks import REWARD
from core.training.durable import DurableTrainer
from core.training.tasks import TaskScript, TaskTraining, pair_row


class ScoredTrainer(DurableTrainer, RewardTrainer):
    """TRL's reward trainer, made durable.

    TRL trains what it trains over a quantized base in bfloat16. The new head gets what the last layer computes, so it
    has that layer's type.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        computed = self.model.get_input_embeddings().weight.dtype
        for name, weight in self.model.named_parameters():
            if weight.requires_grad and f".{REWARD.head}." in f".{name}":
                weight.data = weight.data.to(computed)

    def _prepare_dataset(self, dataset: Any, *arguments: Any, **names: Any) -> Any:
        """The pairs as they are: `core.engine.scored_pairs` has made the tokens that TRL would make here."""
        return dataset


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `RewardConfig` beyond those that all tasks share."""
    return {"center_rewards_coefficient": recipe.reward.center or None}


TRAINING = TaskTraining(ScoredTrainer, RewardConfig, settings, script=TaskScript(pair_row))
