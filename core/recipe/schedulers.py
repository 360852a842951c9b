"""What learning rate schedules there are: one row each, with the fields that shape it and what transformers gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.recipe.conditions import Condition, one_of

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe
    from core.recipe.sections.training import Training

DECAY_STEPS = "num_decay_steps"
"""The one argument that may be a share of all steps; `core.training.durable` makes steps of it."""


def _nothing(training: Training) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class LrSchedule:
    """How the learning rate changes over a run.

    Attributes:
        name: transformers' name, and the value of `training.scheduler`.
        meaning: what it does, shown beside the name.
        fields: the fields that shape it.
        arguments: what transformers gets as `lr_scheduler_kwargs`, from the training section.
        follows_eval: whether it is driven by the evaluations instead of the steps.
    """

    name: str
    meaning: str
    fields: tuple[str, ...] = ("training.warmup",)
    arguments: Callable[[Training], dict[str, Any]] = _nothing
    follows_eval: bool = False


def least_rate(recipe: Recipe) -> float:
    """What the schedule gets as its minimum: a share of the peak, or the rate itself where evaluations drive it."""
    training = recipe.training
    share = training.min_lr
    return training.learning_rate * share if SCHEDULERS[training.scheduler].follows_eval else share


def highest_rate(recipe: Recipe) -> float:
    """What a schedule that is driven by evaluations gets as its maximum."""
    return recipe.training.learning_rate * recipe.training.max_lr


def _on_plateau(training: Training) -> dict[str, Any]:
    least = training.learning_rate * training.min_lr
    return {"factor": training.lr_factor, "patience": training.lr_patience, "min_lr": least}


def _greedy(training: Training) -> dict[str, Any]:
    return {**_on_plateau(training), "max_lr": training.learning_rate * training.max_lr}


_ON_EVAL = ("training.lr_factor", "training.lr_patience", "training.min_lr", "training.best_metric")

SCHEDULERS: Mapping[str, LrSchedule] = {
    each.name: each
    for each in (
        LrSchedule("linear", "linear decay to zero"),
        LrSchedule("cosine", "cosine decay to zero"),
        LrSchedule(
            "cosine_with_min_lr",
            "cosine decay to a minimum learning rate",
            ("training.warmup", "training.min_lr"),
            lambda training: {"min_lr_rate": training.min_lr},
        ),
        LrSchedule(
            "cosine_warmup_with_min_lr",
            "cosine_with_min_lr with a warmup that does not start at zero",
            ("training.warmup", "training.min_lr"),
            lambda training: {"min_lr_rate": training.min_lr},
        ),
        LrSchedule(
            "cosine_with_restarts",
            "cosine decay to zero that starts over at the peak",
            ("training.warmup", "training.lr_cycles"),
            lambda training: {"num_cycles": training.lr_cycles},
        ),
        LrSchedule(
            "warmup_stable_decay",
            "WSD: constant until a decay phase at the end, which a longer run can begin later",
            ("training.warmup", "training.lr_decay", "training.lr_decay_shape", "training.min_lr"),
            lambda training: {
                DECAY_STEPS: training.lr_decay,
                "decay_type": training.lr_decay_shape,
                "min_lr_ratio": training.min_lr,
            },
        ),
        LrSchedule("constant", "no decay; warmup is ignored", ()),
        LrSchedule("constant_with_warmup", "no decay after the warmup"),
        LrSchedule(
            "inverse_sqrt",
            "decays with the square root of the step",
            ("training.warmup", "training.lr_timescale"),
            lambda training: {"timescale": training.lr_timescale} if training.lr_timescale else {},
        ),
        LrSchedule(
            "polynomial",
            "polynomial decay to a final learning rate",
            ("training.warmup", "training.lr_power", "training.lr_end"),
            lambda training: {"power": training.lr_power, "lr_end": training.lr_end},
        ),
        LrSchedule(
            "reduce_lr_on_plateau",
            "lowered when the eval metric stops improving; no warmup",
            _ON_EVAL,
            _on_plateau,
            follows_eval=True,
        ),
        LrSchedule(
            "greedy",
            "GreedyLR: raised while the eval metric improves, lowered when it does not; no warmup",
            (*_ON_EVAL, "training.max_lr"),
            _greedy,
            follows_eval=True,
        ),
    )
}
"""Every schedule by its name, in the order of the form."""


def schedulers_with(path: str) -> Condition:
    """That the schedule is one that this field shapes."""
    return one_of("training.scheduler", *(each.name for each in SCHEDULERS.values() if path in each.fields))
