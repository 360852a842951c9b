"""What each task computes: one file per task, found by the name that its row in `core.recipe.tasks` gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS

if TYPE_CHECKING:
    from core.engine.load import Hardware
    from core.training.durable import DurableTrainer


def _nothing(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    return {}


def _plain_row(tokens: int, trained: int) -> dict[str, Any]:
    return {"input_ids": [1] * tokens, "labels": [-100] * (tokens - trained) + [1] * trained}


@dataclass(frozen=True, slots=True)
class TaskTraining:
    """A task as the trainer needs it.

    Attributes:
        trainer: TRL's trainer behind `DurableTrainer`.
        config: TRL's configuration for it.
        settings: what that takes from a recipe beyond `core.training.configuration.trainer_config`.
        models: what the trainer takes besides the model that is trained, such as a reference: from the recipe, the
            hardware, and the configuration of the adapter (None where every weight is trained).
        row: a row of the trainer's dataset with so many tokens, of which so many are trained: what the exact memory
            forecast trains on. None where a step cannot be computed without real weights.
    """

    trainer: type[DurableTrainer]
    config: Callable[..., Any]
    settings: Callable[[Recipe], dict[str, Any]]
    models: Callable[[Recipe, Hardware, Any], dict[str, Any]] = _nothing
    row: Callable[[int, int], dict[str, Any]] | None = _plain_row


def training_of(recipe: Recipe) -> TaskTraining:
    """The training of a recipe's task."""
    found: TaskTraining = import_module(f"core.training.tasks.{TASKS[recipe.task].module}").TRAINING
    return found
