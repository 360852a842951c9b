"""Preference training: TRL's DPO trainer on pairs that come as tokens of prompt, chosen and rejected answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model
from trl import DPOConfig, DPOTrainer

from core.engine.load import Hardware
from core.recipe.adapters import adapter_of
from core.recipe.recipe import KNOBS, Recipe, get, why_without_effect
from core.training.durable import DurableTrainer
from core.training.loading import named
from core.training.reference import reference
from core.training.tasks import TaskScript, TaskTraining, pair_row

_REFERENCE = "reference.safetensors"
"""The weights of a reference that moves, in a checkpoint."""


class PreferenceTrainer(DurableTrainer, DPOTrainer):
    """TRL's DPO trainer, made durable: a reference that moves is in the checkpoints as well."""

    def _prepare_dataset(self, dataset: Any, *arguments: Any, **names: Any) -> Any:
        """The pairs as they are: `core.engine.pairs` has made the tokens that TRL would make here."""
        return dataset

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """The reference's log-probabilities of a batch, before the first step; a viewer may ask to stop."""
        self._worker.stop_if_asked("Stopped on request while precomputing the reference. There was nothing to save.")
        return super().compute_ref_log_probs(model, inputs)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.args.sync_ref_model and self.args.should_save:
            save_model(self.accelerator.unwrap_model(self.ref_model), f"{output_dir}/{_REFERENCE}")

    def load_weights(self, checkpoint: Path) -> None:
        """Puts a checkpoint's weights into the model, and into a reference that moves."""
        super().load_weights(checkpoint)
        self._load_reference(checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._load_reference(Path(checkpoint))

    def _load_reference(self, checkpoint: Path) -> None:
        if self.args.sync_ref_model:
            with named(str(checkpoint)):
                load_model(self.accelerator.unwrap_model(self.ref_model), checkpoint / _REFERENCE)


_EXTRAS: dict[str, Callable[[Any], Any]] = {
    "label_smoothing": lambda value: value,
    "discopop_tau": lambda value: value,
    "ld_alpha": lambda value: None if value == 1 else value,  # TRL computes 1 in another order
    "f_divergence_type": lambda value: value,
    "f_alpha_divergence_coef": lambda value: value,
    "use_weighting": lambda value: value,
    "precompute_ref_log_probs": lambda value: value,
    "precompute_ref_batch_size": lambda value: value or None,
    "sync_ref_model": lambda value: value,
    "ref_model_mixup_alpha": lambda value: value,
    "ref_model_sync_steps": lambda value: value,
}
"""Fields of the section `dpo` that `DPOConfig` has under the same name, and how it writes their values."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `DPOConfig` beyond those that all tasks share; a field without effect stays at its default."""
    losses = recipe.dpo.loss_type
    weights = [each.weight for each in losses]
    extras = {
        name: written(KNOBS[path].default if why_without_effect(recipe, path) else get(recipe, path))
        for name, written in _EXTRAS.items()
        for path in (f"dpo.{name}",)
    }
    return {
        "beta": recipe.dpo.beta,
        "loss_type": [each.loss for each in losses],
        "loss_weights": None if set(weights) == {1.0} else weights,
        **extras,
    }


def models(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    """The base model beside one that is trained whole, unless its log-probabilities are precomputed."""
    return {} if recipe.dpo.precompute_ref_log_probs else reference(recipe, on, adapter)


def _plain_models(recipe: Recipe) -> dict[str, str]:
    beside = adapter_of(recipe).whole and not recipe.dpo.precompute_ref_log_probs
    return {"ref_model": "load_model()"} if beside else {}


TRAINING = TaskTraining(
    PreferenceTrainer, DPOConfig, settings, models, script=TaskScript(pair_row, models=_plain_models)
)
