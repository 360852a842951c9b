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
class TaskScript:
    """How a plain TRL script prepares samples for this task: used by `tunedeck script`.

    Its trainer and configuration are those of `TaskTraining`, its arguments those of
    `core.training.configuration.trainer_arguments`, but for the ones named here.

    Attributes:
        row: Python source of an expression that makes TRL's row of a `sample`, a dict in the normal form
            (`core.dataset.sample`): `{"messages": sample["messages"]}`.
        arguments: of the configuration, instead of ours: for what TRL does itself in a plain script, from the recipe
            and the kinds of samples in the data. A value of `DEFAULT` leaves TRL's own.
        order: Python source that follows the dataset, for a trainer that does not shuffle: `.shuffle(seed=7)`.
        models: what the trainer gets besides the model (see `TaskTraining.models`), as Python source; `load_model()`
            gives another base.
        before_training: Python source of what is done to `trainer` before its first step, or "".
        renders_tools: whether TRL's trainer renders the tools of a sample.
        not_expressed: what the script cannot do of a recipe with samples of these kinds, a sentence each.
    """

    row: Callable[[Recipe, frozenset[str]], str]
    arguments: Callable[[Recipe, frozenset[str]], dict[str, Any]] = lambda recipe, kinds: {}
    order: Callable[[Recipe], str] = lambda recipe: ""
    models: Callable[[Recipe], dict[str, str]] = lambda recipe: {}
    before_training: Callable[[Recipe], str] = lambda recipe: ""
    renders_tools: bool = True
    not_expressed: Callable[[Recipe, frozenset[str]], list[str]] = lambda recipe, kinds: []


def pair_row(recipe: Recipe, kinds: frozenset[str]) -> str:
    """TRL's row of a pair, with its prompt apart; see `TaskScript.row`."""
    return (
        '{"prompt": turns(sample["messages"]), "chosen": turns(sample["chosen"]), '
        '"rejected": turns(sample["rejected"])}'
    )


DEFAULT: Any = object()
"""Stands for an argument that is left out."""


@dataclass(frozen=True, slots=True)
class TaskTraining:
    """A task as the trainer needs it.

    Attributes:
        trainer: TRL's trainer behind `DurableTrainer`.
        config: TRL's configuration for it.
        settings: what that takes from a recipe beyond `core.training.configuration.trainer_config`.
        models: what the trainer takes besides the model that is trained, such as a reference: from the recipe, the
            hardware, and the configuration of the adapter (None where every weight is trained).
        notes: what a person should know of the encoded rows that are trained on, a sentence each.
        companions: what else it takes: from the run's worker, the recipe and the hardware.
        lacks: names of settings that all other tasks share and its configuration does not have.
        script: what a plain TRL script of it needs (`tunedeck script`), or why there is none, a sentence.
    """

    trainer: type[DurableTrainer]
    config: Callable[..., Any]
    settings: Callable[[Recipe], dict[str, Any]]
    models: Callable[[Recipe, Hardware, Any], dict[str, Any]] = _nothing
    notes: Callable[[Recipe, Any], list[str]] = lambda recipe, rows: []
    companions: Callable[[Worker, Recipe, Hardware], dict[str, Any]] = _nothing
    lacks: frozenset[str] = frozenset()
    script: TaskScript | str = "none has been verified against our runs yet."


def training_of(recipe: Recipe) -> TaskTraining:
    """The training of a recipe's task."""
    found: TaskTraining = import_module(f"core.training.tasks.{TASKS[recipe.task].module}").TRAINING
    return found
