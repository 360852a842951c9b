"""The eval metric by which the best weights are chosen: the task's headline, or another that the recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.recipe.recipe import Recipe
from core.recipe.tasks import LOSS, LOSS_TITLES, TASKS, Better, headline_of

_EVAL = "eval_"


@dataclass(frozen=True, slots=True)
class BestMetric:
    """What makes one evaluation better than another.

    Attributes:
        name: in `metrics.jsonl`, `eval_loss`.
        better: which way it moves when the model learns.
        title: what sentences call it, `eval loss`.
    """

    name: str
    better: Better
    title: str


def best_metrics(recipe: Recipe) -> Mapping[str, BestMetric]:
    """What a recipe's best weights can be chosen by, by what `training.best_metric` calls it; the headline first."""
    task, headline = TASKS[recipe.task], headline_of(recipe)
    first = headline.eval_metric.removeprefix(_EVAL)
    found = {first: BestMetric(headline.eval_metric, headline.better, headline.eval_title)}
    titles = {**LOSS_TITLES, **task.metrics}
    others: Mapping[str, Better] = {LOSS: "lower", **task.scores}
    for name, better in others.items():
        found.setdefault(name, BestMetric(_EVAL + name, better, f"eval {titles.get(name, name)}"))
    return found


def best_metric(recipe: Recipe) -> BestMetric:
    """The metric that a recipe's best weights are chosen by; the task's own where it names none that there is."""
    known = best_metrics(recipe)
    named = recipe.training.best_metric.removeprefix(_EVAL)
    return known.get(named) or next(iter(known.values()))
