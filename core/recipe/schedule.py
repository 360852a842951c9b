"""How many steps a recipe makes of so many samples, counted as transformers' trainer counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.recipe.devices import ranks_of
from core.recipe.generation import batches_in_epoch
from core.recipe.recipe import Recipe
from core.recipe.schedulers import SCHEDULERS
from core.recipe.tasks import TASKS


@dataclass(frozen=True, slots=True)
class Schedule:
    """A run's steps.

    Attributes:
        effective_batch: samples (packed: sequences) a step, over all devices.
        steps_per_epoch: optimizer steps in one pass over the data.
        steps: optimizer steps of the whole run.
        epochs: passes over the data that these steps make.
        warmup: steps of rising learning rate.
        eval_every: steps between evaluations, 0 for never.
        save_every: steps between checkpoints, 0 for none before the end.
    """

    effective_batch: int
    steps_per_epoch: int
    steps: int
    epochs: float
    warmup: int
    eval_every: int
    save_every: int


def schedule_of(recipe: Recipe, samples: int) -> Schedule:
    """The schedule for so many training samples (packed: sequences); exact, packing aside, where that is unknown."""
    training = recipe.training
    devices = ranks_of(recipe)
    if TASKS[recipe.task].generates:
        batches = batches_in_epoch(recipe, samples)
    else:
        batches = math.ceil(samples / (training.batch_size * devices))
    per_epoch = max(1, math.ceil(batches / training.gradient_accumulation))
    steps = training.max_steps or max(1, math.ceil(training.epochs * per_epoch))
    return Schedule(
        effective_batch=training.batch_size * training.gradient_accumulation * devices,
        steps_per_epoch=per_epoch,
        steps=steps,
        epochs=steps / per_epoch,
        warmup=steps_of(training.warmup, steps) if warms_up(recipe) else 0,
        eval_every=per_epoch if training.eval_strategy == "epoch" else steps_of(training.eval_every, steps),
        save_every=per_epoch if training.save_strategy == "epoch" else steps_of(training.save_every, steps),
    )


def warms_up(recipe: Recipe) -> bool:
    """Whether the learning rate has a warmup."""
    return "training.warmup" in SCHEDULERS[recipe.training.scheduler].fields


def evaluates(recipe: Recipe) -> bool:
    """Whether the run evaluates on the way, as long as there is an eval set."""
    return recipe.training.eval_strategy == "epoch" or recipe.training.eval_every > 0


def saves(recipe: Recipe) -> bool:
    """Whether the run saves checkpoints before its end."""
    return recipe.training.save_strategy == "epoch" or recipe.training.save_every > 0


def steps_of(amount: float, steps: int) -> int:
    """Steps from a number of them or, below 1, a share of all steps, rounded up as transformers does."""
    return math.ceil(steps * amount) if amount < 1 else int(amount)
