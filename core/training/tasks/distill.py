"""Distillation: TRL's trainer on prompts, with a teacher beside the model."""

from __future__ import annotations

from typing import Any

from trl import DistillationConfig, DistillationTrainer

from core.engine.load import Hardware
from core.engine.teacher import load_teacher
from core.recipe.recipe import Recipe
from core.training.rollouts import GeneratingTrainer
from core.training.tasks import TaskTraining


class DistilledTrainer(GeneratingTrainer, DistillationTrainer):
    """TRL's distillation trainer, made durable."""

    @property
    def _batches_generated(self) -> int:
        return int(self.args.gradient_accumulation_steps)


def settings(recipe: Recipe) -> dict[str, Any]:
    """What `DistillationConfig` takes besides what all tasks share."""
    distill = recipe.distill
    return {
        "beta": distill.beta,
        "max_completion_length": distill.max_completion_length,
        "temperature": distill.temperature,
        "top_p": distill.top_p,
        "top_k": distill.top_k,
        "min_p": distill.min_p or None,
        "disable_dropout": distill.disable_dropout,
    }


def teacher(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    """The model that is learned from."""
    return {"teacher_model": load_teacher(recipe, on)}


TRAINING = TaskTraining(
    DistilledTrainer, DistillationConfig, settings, models=teacher, lacks=frozenset(("max_length",))
)
