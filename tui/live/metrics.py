"""The metrics of a run: what each is called, how its values are written, which have a panel without being chosen."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable

from core.clean import clean_line
from core.recipe.tasks import LOSS, LOSS_TITLES, TASKS
from core.units import short_count, significant
from tui.live.run import LiveRun

USUAL = (
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    # Of later tasks first: what a task logs besides is what all of them do.
    *dict.fromkeys(metric for task in reversed(list(TASKS.values())) for metric in task.metrics),
)
"""Metrics that have a panel without being asked for, where the run logs them."""

_TITLES = {
    **LOSS_TITLES,
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
    "tokens_per_second": "tokens/s",
    "num_tokens": "tokens seen",
    "weights_changed": "weights changed",
    **{metric: title for task in TASKS.values() for metric, title in task.metrics.items() if "*" not in metric},
}
_SHAPES = {metric: title for task in TASKS.values() for metric, title in task.metrics.items() if "*" in metric}
"""Of metrics that the recipe names in part."""


def headline_words(value: float) -> str:
    """A value of a headline metric with four digits, always six cells wide so that nothing beside it moves."""
    return f"{significant(value, 4):>6}"


def rate_words(value: float) -> str:
    """A learning rate as papers write it: `1.6e-4`."""
    if not math.isfinite(value):
        return significant(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


_WRITERS: dict[str, Callable[[float], str]] = {
    "learning_rate": rate_words,
    "tokens_per_second": short_count,
    "num_tokens": short_count,
}

_FROM_ZERO = ("grad_norm", "tokens_per_second")
_FROM_ZERO_UNITS = (" %", " GiB", " W")


def title_of(metric: str) -> str:
    """What a metric is called on the screen."""
    if (title := _TITLES.get(metric)) is not None:
        return title
    for shape, words in _SHAPES.items():
        before, _, after = shape.partition("*")
        if metric.startswith(before) and metric.endswith(after) and len(metric) > len(before) + len(after):
            return words.format(clean_line(metric[len(before) : len(metric) - len(after)], 40))
    return clean_line(metric, 40)


def writer_of(metric: str) -> Callable[[float], str]:
    """How its values are written."""
    return _WRITERS.get(metric, significant)


def from_zero(metric: str) -> bool:
    """Whether its axis begins at 0 however high its values lie."""
    return metric in _FROM_ZERO or metric.endswith(_FROM_ZERO_UNITS)


def metrics_of(run: LiveRun) -> list[str]:
    """The metrics of a run; those of the evaluation stand with those of training, where there are any."""
    names = set(run.names)
    return [name for name in run.names if not (name.startswith("eval_") and name.removeprefix("eval_") in names)]


def usual_panels(run: LiveRun) -> list[str]:
    """The metrics that have a panel without being asked for; the headline has the large chart."""
    headline = run.headline.metric
    found = [name for each in (*USUAL, LOSS) for name in fnmatch.filter(run.names, each) if name != headline]
    return found or list(USUAL[:3])
