"""Odds ratio preference training: TRL's ORPO trainer on pairs that come as tokens."""

from __future__ import annotations

from typing import Any

from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from core.recipe.recipe import Recipe
from core.training.tasks import TaskTraining
from core.training.tasks.answer_pairs import SCRIPT, AnswerPairsTrainer


class OddsRatioTrainer(AnswerPairsTrainer, ORPOTrainer):
    """TRL's ORPO trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `ORPOConfig` beyond those that all tasks share."""
    return {"beta": recipe.orpo.beta, "remove_unused_columns": False}


TRAINING = TaskTraining(OddsRatioTrainer, ORPOConfig, settings, script=SCRIPT)
