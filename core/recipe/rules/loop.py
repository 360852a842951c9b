"""What is unwise about how a run goes and ends; rules of `core.recipe.rules.validate`."""

from __future__ import annotations

from collections.abc import Iterator

from core.clean import clean_line
from core.recipe.best_metric import best_metrics
from core.recipe.declare import Problem
from core.recipe.devices import is_sharded
from core.recipe.recipe import Recipe
from core.recipe.schedule import evaluates
from core.recipe.schedulers import SCHEDULERS
from core.recipe.tasks import TASKS
from core.recipe.values import number_text


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem with the schedule, early stopping, and which weights are kept."""
    training = recipe.training
    if training.early_stopping and not training.keep_best:
        sentence = (
            f"Early stopping stops {training.early_stopping} evaluations after the best step but saves the last "
            "weights. "
            "Set this to yes to save the best."
        )
        yield Problem("training.keep_best", sentence, "warn")
    if training.save_only_model and not is_sharded(recipe):
        sentence = "Checkpoints without the optimizer cannot be resumed: a run that is stopped or killed starts over."
        yield Problem("training.save_only_model", sentence, "note")
    yield from _schedule(recipe)
    named = training.best_metric.removeprefix("eval_")
    known = best_metrics(recipe)
    if named and named not in known:
        sentence = (
            f"{TASKS[recipe.task].title} measures no {clean_line(training.best_metric, 40)} on the eval set. Use "
            f"{', '.join(known)}, or leave it empty."
        )
        yield Problem("training.best_metric", sentence, brief="no such metric")


def _schedule(recipe: Recipe) -> Iterator[Problem]:
    training, data = recipe.training, recipe.data
    if SCHEDULERS[training.scheduler].follows_eval and not (
        evaluates(recipe) and (data.eval or data.eval_fraction > 0)
    ):
        sentence = (
            f"{training.scheduler} changes the learning rate after evaluations, and there are none. Hold out an eval "
            "set and evaluate, or use another scheduler."
        )
        yield Problem("training.scheduler", sentence, brief="needs evaluations")
    if training.lr_end >= training.learning_rate:
        sentence = (
            f"The final learning rate {number_text(training.lr_end)} is not below the peak of "
            f"{number_text(training.learning_rate)}."
        )
        yield Problem("training.lr_end", sentence, brief="not below the peak")
