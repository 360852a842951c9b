"""Continued pretraining: TRL's SFT trainer on text, with a separate learning rate for the embeddings."""

from __future__ import annotations

from typing import Any

from trl import SFTConfig, SFTTrainer

from core.recipe.recipe import Recipe, why_without_effect
from core.training.durable import DurableTrainer
from core.training.embeddings import embedding_weights, split_groups
from core.training.tasks import DEFAULT, TaskScript, TaskTraining
from core.training.tasks.supervised import packing_settings

_RATE = "cpt.embedding_learning_rate"


class ContinuedTrainer(DurableTrainer, SFTTrainer):
    """TRL's SFT trainer, made durable, whose optimizer has separate groups for the embeddings."""

    def create_optimizer(self, model: Any = None) -> Any:
        """TRL's optimizer, with the embedding weights of each group moved into a group with their own rate."""
        fresh = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if fresh and not why_without_effect(self._recipe, _RATE):
            split_groups(optimizer, set(embedding_weights(self.model)), self._recipe.cpt.embedding_learning_rate)
        return optimizer


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `SFTConfig` beyond those that all tasks share."""
    return packing_settings(recipe)


def _plain_row(recipe: Recipe, kinds: frozenset[str]) -> str:
    return '{"text": sample["text"]}'


def _plain_groups(recipe: Recipe) -> str:
    if why_without_effect(recipe, _RATE):
        return ""
    return f"""\
# The embeddings have a learning rate of their own: their weights move into groups behind those of the others.
ends = (trainer.model.get_input_embeddings(), trainer.model.get_output_embeddings())
embeddings = {{weight for module in ends for weight in module.parameters() if weight.requires_grad}}
groups = trainer.create_optimizer().param_groups
for group in list(groups):
    own = [weight for weight in group["params"] if weight in embeddings]
    if own:
        group["params"] = [weight for weight in group["params"] if weight not in embeddings]
        trainer.optimizer.add_param_group({{**group, "params": own, "lr": {recipe.cpt.embedding_learning_rate!r}}})
groups[:] = [group for group in groups if group["params"]]
"""


TRAINING = TaskTraining(
    ContinuedTrainer,
    SFTConfig,
    settings,
    script=TaskScript(_plain_row, lambda recipe, kinds: {"dataset_kwargs": DEFAULT}, before_training=_plain_groups),
)
