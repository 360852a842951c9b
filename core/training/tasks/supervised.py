"""Supervised training: TRL's SFT trainer on samples that come as tokens and labels."""

from __future__ import annotations

from typing import Any

from trl import SFTConfig, SFTTrainer

from core.recipe.recipe import Recipe
from core.training.durable import DurableTrainer
from core.training.tasks import TaskTraining


class SupervisedTrainer(DurableTrainer, SFTTrainer):
    """TRL's SFT trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """What `SFTConfig` takes besides what all tasks share."""
    packing = recipe.data.packing
    return {
        "loss_type": recipe.sft.loss_type,
        "packing": packing != "none",
        "packing_strategy": packing if packing != "none" else "bfd",
        # The samples come encoded. Packing is TRL's own work on them; without it nothing is left to prepare.
        "dataset_kwargs": {"skip_prepare_dataset": True} if packing == "none" else None,
    }


TRAINING = TaskTraining(SupervisedTrainer, SFTConfig, settings)
