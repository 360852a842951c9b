"""Preference training: TRL's DPO trainer on pairs that come as tokens of prompt, chosen and rejected answer."""

from __future__ import annotations

from typing import Any

from trl import DPOConfig, DPOTrainer

from core.engine.load import Hardware, load_base
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe
from core.training.durable import DurableTrainer
from core.training.tasks import TaskScript, TaskTraining, pair_row


class PreferenceTrainer(DurableTrainer, DPOTrainer):
    """TRL's DPO trainer, made durable."""

    def _prepare_dataset(self, dataset: Any, *arguments: Any, **names: Any) -> Any:
        """The pairs as they are: `core.engine.pairs` has made the tokens that TRL would make here."""
        return dataset


def settings(recipe: Recipe) -> dict[str, Any]:
    """What `DPOConfig` takes besides what all tasks share."""
    return {"beta": recipe.dpo.beta, "loss_type": [recipe.dpo.loss_type]}


def reference(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    """The model that rewards are measured against: the base beside a model that is trained whole.

    With an adapter none is loaded, for the base is there once the adapter is switched off.
    """
    if adapter is not None:
        return {}
    return {"ref_model": load_base(recipe.model, on)}


def _plain_models(recipe: Recipe) -> dict[str, str]:
    return {"ref_model": "load_model()"} if adapter_of(recipe).whole else {}


TRAINING = TaskTraining(
    PreferenceTrainer, DPOConfig, settings, reference, script=TaskScript(pair_row, models=_plain_models)
)
