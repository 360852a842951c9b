"""Contrastive preference training: TRL's CPO trainer, SimPO included, on pairs that come as tokens."""

from __future__ import annotations

from typing import Any

from trl.experimental.cpo import CPOConfig, CPOTrainer

from core.recipe.recipe import Recipe
from core.training.tasks import TaskTraining
from core.training.tasks.answer_pairs import SCRIPT, AnswerPairsTrainer


class ContrastiveTrainer(AnswerPairsTrainer, CPOTrainer):
    """TRL's CPO trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `CPOConfig` beyond those that all tasks share."""
    cpo = recipe.cpo
    return {
        "beta": cpo.beta,
        "loss_type": cpo.loss_type,
        "cpo_alpha": cpo.sft_weight,
        "simpo_gamma": cpo.target_margin,
        "alpha": cpo.alpha,
        "label_smoothing": cpo.label_smoothing,
        "remove_unused_columns": False,
    }


TRAINING = TaskTraining(ContrastiveTrainer, CPOConfig, settings, script=SCRIPT)
