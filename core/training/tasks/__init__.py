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
    from core.engine.worker import Worker
    from core.training.durable import DurableTrainer


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class TaskTraining:
    """A task as the trainer needs it.

    Attributes:
        trainer: TRL's trainer behind `DurableTrainer`.
        config: TRL's configuration for it.
        settings: what that takes from a recipe beyond `core.training.configuration.trainer_config`.
        models: what the trainer takes besides the model that is trained, such as a reference: from the recipe, the
            hardware, and the configuration of the adapter (None where every weight is trained).
        companions: what else it takes: from the run's worker, the recipe and the hardware.
        lacks: names of settings that all other tasks share and its configuration does not have.
    """

    trainer: type[DurableTrainer]
    config: Callable[..., Any]
    settings: Callable[[Recipe], dict[str, Any]]
    models: Callable[[Recipe, Hardware, Any], dict[str, Any]] = _nothing
    companions: Callable[[Worker, Recipe, Hardware], dict[str, Any]] = _nothing
    lacks: frozenset[str] = frozenset()


def training_of(recipe: Recipe) -> TaskTraining:
    """The training of a recipe's task."""
    found: TaskTraining = import_module(f"core.training.tasks.{TASKS[recipe.task].module}").TRAINING
    return found
