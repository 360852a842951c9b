"""Distillation: TRL's trainer on prompts, with a teacher next to the model."""

from __future__ import annotations

import json
from typing import Any

from trl import DistillationConfig, DistillationTrainer

from core.engine.load import Hardware
from core.engine.teacher import load_teacher
from core.recipe.recipe import Recipe
from core.training.rollouts import GeneratingTrainer
from core.training.tasks import TaskScript, TaskTraining


class DistilledTrainer(GeneratingTrainer, DistillationTrainer):
    """TRL's distillation trainer, made durable."""

    @property
    def _batches_generated(self) -> int:
        return int(self.args.gradient_accumulation_steps)


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `DistillationConfig` beyond those that all tasks share."""
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
    """The teacher model."""
    return {"teacher_model": load_teacher(recipe, on)}


def _plain_row(recipe: Recipe, kinds: frozenset[str]) -> str:
    if kinds == {"text"}:
        return '{"prompt": sample["text"]}'
    answered = 'sample["messages"][-1]["role"] == "assistant"'
    return f'{{"prompt": turns(sample["messages"][:-1] if {answered} else sample["messages"])}}'


def _plain_teacher(recipe: Recipe) -> dict[str, str]:
    distill = recipe.distill
    revision = f", revision={json.dumps(distill.teacher_revision)}" if distill.teacher_revision else ""
    path = json.dumps(distill.teacher)
    return {"teacher_model": f'AutoModelForCausalLM.from_pretrained({path}{revision}, dtype="auto")'}


def _not_expressed(recipe: Recipe, kinds: frozenset[str]) -> list[str]:
    quantized = recipe.distill.teacher_quantization
    return [f"distill.teacher_quantization: the script loads the teacher without {quantized}."] * (quantized != "none")


TRAINING = TaskTraining(
    DistilledTrainer,
    DistillationConfig,
    settings,
    models=teacher,
    lacks=frozenset(("max_length",)),
    script=TaskScript(_plain_row, models=_plain_teacher, renders_tools=False, not_expressed=_not_expressed),
)
