"""Supervised training: TRL's SFT trainer on samples that come as tokens and labels."""

from __future__ import annotations

from typing import Any

from trl import SFTConfig, SFTTrainer

from core.recipe.recipe import Recipe
from core.recipe.templates import NO_TEMPLATE
from core.training.durable import DurableTrainer
from core.training.tasks import DEFAULT, TaskScript, TaskTraining


class SupervisedTrainer(DurableTrainer, SFTTrainer):
    """TRL's SFT trainer, made durable."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `SFTConfig` beyond those that all tasks share."""
    return {"loss_type": recipe.sft.loss_type, **packing_settings(recipe)}


def packing_settings(recipe: Recipe) -> dict[str, Any]:
    """How samples share sequences, and whether TRL has anything left to prepare."""
    packing = recipe.data.packing
    return {
        "packing": packing != "none",
        "packing_strategy": packing if packing != "none" else "bfd",
        # The samples come encoded. Packing is TRL's own work on them; without it nothing is left to prepare.
        "dataset_kwargs": {"skip_prepare_dataset": True} if packing == "none" else None,
    }


def _plain_row(recipe: Recipe, kinds: frozenset[str]) -> str:
    if kinds == {"text"}:
        return '{"text": sample["text"]}'
    if recipe.model.chat_template == NO_TEMPLATE:
        answer = 'sample["chosen"][0]' if kinds <= {"preference", "kto"} else 'sample["messages"][1]'
        return f'{{"prompt": sample["messages"][0]["content"], "completion": {answer}["content"]}}'
    if kinds <= {"preference", "kto"}:
        return '{"prompt": turns(sample["messages"]), "completion": turns(sample["chosen"])}'
    return '{"messages": turns(sample["messages"])}'


def _plain_arguments(recipe: Recipe, kinds: frozenset[str]) -> dict[str, Any]:
    joined = recipe.model.chat_template == NO_TEMPLATE or kinds <= {"preference", "kto"}
    answers = recipe.data.loss_on == "answers" and kinds != {"text"}
    masks = answers and recipe.model.chat_template != NO_TEMPLATE
    whole = {} if answers or not joined else {"completion_only_loss": False}
    return {"dataset_kwargs": DEFAULT, **({"assistant_only_loss": True} if masks else {}), **whole}


def _not_plain(recipe: Recipe, kinds: frozenset[str]) -> list[str]:
    if len(kinds) > 1 and not kinds <= {"preference", "kto"}:
        return [f"The data mixes {' and '.join(sorted(kinds))}, which TRL reads as one kind: this script will fail."]
    return []


TRAINING = TaskTraining(
    SupervisedTrainer,
    SFTConfig,
    settings,
    script=TaskScript(_plain_row, _plain_arguments, not_expressed=_not_plain),
)
