"""What kinds of training there are: one row and file each, from which form, validation and docs take what differs.

Standard library only. What a task computes lives in `core.training.tasks`, one file per task.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.recipe.conditions import Condition, none_of, one_of
from core.recipe.tasks.continued import CPT
from core.recipe.tasks.distilled import DISTILL
from core.recipe.tasks.online import GRPO, RLOO
from core.recipe.tasks.preference import DPO
from core.recipe.tasks.rated import KTO
from core.recipe.tasks.reference_free import CPO, ORPO
from core.recipe.tasks.scored import REWARD
from core.recipe.tasks.supervised import SFT
from core.recipe.tasks.task import (
    EVAL_LOSS,
    LOSS,
    LOSS_TITLES,
    TOKEN_METRICS,
    Better,
    Headline,
    Limit,
    Task,
    TaskMemory,
)

__all__ = [
    "CPO",
    "CPT",
    "DISTILL",
    "DPO",
    "EVAL_LOSS",
    "GONE",
    "GRPO",
    "KTO",
    "LOSS",
    "LOSS_TITLES",
    "ORPO",
    "REWARD",
    "RLOO",
    "SFT",
    "TASKS",
    "TOKEN_METRICS",
    "Better",
    "Headline",
    "Limit",
    "Task",
    "TaskMemory",
    "headline_of",
    "task_named",
    "task_of",
    "tasks_supporting",
    "tasks_that_write",
    "tasks_with",
    "tasks_with_dropout",
]

TASKS: Mapping[str, Task] = {task.name: task for task in (SFT, CPT, DPO, KTO, ORPO, CPO, REWARD, GRPO, RLOO, DISTILL)}
"""Every task by its name, in the order of the form."""


GONE: Mapping[str, str] = {
    "ppo": "TRL no longer has PPO: use rloo or grpo with a reward model (rewards: model=1; model=RUN).",
    "prm": "TRL no longer has PRM: use reward for whole answers, or a Python reward that scores steps.",
    **dict.fromkeys(
        ("nash-md", "nash_md", "nashmd"),
        "TRL no longer has Nash-MD: use dpo on pairs, or grpo with a reward model, which compares its own answers.",
    ),
    "xpo": "TRL no longer has XPO: use dpo on pairs, or grpo with a reward model, which explores with its own answers.",
    "bco": "BCO is a loss of DPO now: set the task to dpo and dpo.loss_type to bco_pair. For single answers use kto.",
    "simpo": "SimPO is a loss of CPO: set the task to cpo and cpo.loss_type to simpo.",
    "gkd": "Use distill: the student answers, and the teacher judges each token; distill.beta picks the divergence.",
    **dict.fromkeys(("pretrain", "pretraining", "pt"), "Use cpt: continued pretraining on plain text."),
    **dict.fromkeys(("rm", "reward_model", "reward-model"), "Use reward: it trains a reward model on pairs."),
    **dict.fromkeys(
        ("reinforce", "reinforce++", "rlhf"),
        "Use rloo (REINFORCE leave-one-out) or grpo, with a reward model or other rewards.",
    ),
}
"""Tasks that people look for and that TRL no longer has, or never had, each with what to use."""


def task_named(name: object) -> Task:
    """The task of a name; supervised training where a file, older than the key, has none that is known."""
    return TASKS.get(name, SFT) if isinstance(name, str) else SFT


def task_of(payload: object) -> Task:
    """The task of a job, from what `job.json` says of it; supervised training where that names none."""
    recipe = payload.get("recipe") if isinstance(payload, Mapping) else None
    return task_named(recipe.get("task")) if isinstance(recipe, Mapping) else SFT


def tasks_that_write() -> Condition:
    """That the task is one whose model writes text."""
    return none_of("task", *(task.name for task in TASKS.values() if not task.writes))


def headline_of(recipe: object) -> Headline:
    """The metric that shows whether a run goes well, from its recipe as JSON or as a `Recipe`."""

    def value(path: str) -> object:
        found: object = recipe
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
        return found

    task = task_named(value("task"))
    return next((metric for path, wanted, metric in task.headlines if value(path) == wanted), task.headline)


def tasks_with(section: str) -> Condition:
    """That the task is one that reads this section of the recipe."""
    return one_of("task", *(task.name for task in TASKS.values() if section in task.sections))


def tasks_with_dropout() -> Condition:
    """That the task's trainer leaves dropout on."""
    return one_of("task", *(task.name for task in TASKS.values() if task.dropout))


def tasks_supporting(path: str) -> Condition:
    """That the task's trainer supports this field."""
    return one_of("task", *(task.name for task in TASKS.values() if path in task.supports))
