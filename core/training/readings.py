"""What can be read of a built trainer: modules, tensors and settings, as the fields' witnesses ask for them.

Each function takes the trainer and the recipe and returns every value that it finds. `core.training.effects` looks
whether the one that a field was set to is among them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from core.recipe.adapters import adapter_of
from core.recipe.precision import precision_of
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.sections.dpo import DpoLoss
from core.runs.origin import base_of
from core.training.embeddings import embedding_weights


def base_path(trainer: Any, recipe: Recipe) -> set[Any]:
    """Where the model says that it came from; of one that the run has made of the recipe's own, where that is."""
    found = trainer.model.config.name_or_path
    return {recipe.model.path if found == base_of(Path(trainer.args.output_dir).parent) else found}


def precisions(trainer: Any, recipe: Recipe) -> set[Any]:
    """The choices of `model.dtype` that describe the base model's weights and the trainer's autocast."""
    whole = adapter_of(recipe).whole
    held = {str(weight.dtype).removeprefix("torch.") for weight in _base_weights(trainer.model)}
    mixed = "bf16" if trainer.args.bf16 else "fp16" if trainer.args.fp16 else "no"
    meant = {choice: precision_of(choice, "cpu", whole=whole) for choice in KNOBS["model.dtype"].choices}
    return {choice for choice, one in meant.items() if one.weights in held and one.mixed == mixed}


def quantizations(trainer: Any, recipe: Recipe) -> set[Any]:
    """How the linear layers are stored: `nf4`, `int8`."""
    return {_layout(module) for module in trainer.model.modules()} - {""}


def double_quantizations(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the constants of 4-bit layers are quantized as well."""
    four_bit = (module for module in trainer.model.modules() if _layout(module) == "nf4")
    return {bool(getattr(module.weight, "compress_statistics", None)) for module in four_bit}


def attention_kernels(trainer: Any, recipe: Recipe) -> set[Any]:
    """The kernels of the attention modules; none in a model without attention."""
    attending = [module for module in trainer.model.modules() if "Attention" in type(module).__name__]
    configs = [getattr(module, "config", trainer.model.config) for module in attending]
    return {getattr(config, "_attn_implementation", None) for config in configs}


def dpo_losses(trainer: Any, recipe: Recipe) -> set[Any]:
    """The losses that are added up, with their weights."""
    return {tuple(DpoLoss(*each) for each in zip(trainer.loss_types, trainer.loss_weights, strict=True))}


def embedding_rates(trainer: Any, recipe: Recipe) -> set[Any]:
    """The learning rates of the embeddings, where these are trained."""
    weights = set(embedding_weights(trainer.model))
    if not weights:
        return set()
    groups = trainer.create_optimizer().param_groups
    trainer.optimizer = None  # the training makes its own, where the model has been prepared for it
    return {group["lr"] for group in groups if not weights.isdisjoint(group["params"])}


def save_intervals(trainer: Any, recipe: Recipe) -> set[Any]:
    """Steps between checkpoints, 0 for none."""
    return {trainer.args.save_steps if trainer.args.save_strategy == "steps" else 0}


def eval_intervals(trainer: Any, recipe: Recipe) -> set[Any]:
    """Steps between evaluations, 0 for none."""
    return {trainer.args.eval_steps if trainer.args.eval_strategy == "steps" else 0}


def scheduler_arguments(trainer: Any, recipe: Recipe) -> set[Any]:
    """Arguments of the learning rate schedule beyond the warmup."""
    return set((trainer.args.lr_scheduler_kwargs or {}).values())


def optimizer_arguments(trainer: Any, recipe: Recipe) -> set[Any]:
    """Arguments of the optimizer beyond learning rate, betas and epsilon."""
    given = (trainer.args.optim_args or "").split(",")
    return {float(part.partition("=")[2]) for part in given if part}


def growing_segments(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the GPU memory allocator grows its segments."""
    return {"expandable_segments:True" in os.environ.get("PYTORCH_ALLOC_CONF", "")}


def deterministic_algorithms(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether torch refuses algorithms that can give a different result each time."""
    return {torch.are_deterministic_algorithms_enabled()}


def cpu_threads(trainer: Any, recipe: Recipe) -> set[Any]:
    """The threads of torch."""
    return {torch.get_num_threads()}


def _base_weights(model: Any) -> Iterator[Any]:
    """The floating point weights of the model itself."""
    own = (weight for weight in model.parameters() if weight.is_floating_point())
    frozen = [weight for weight in own if not weight.requires_grad]
    yield from frozen or (weight for weight in model.parameters() if weight.is_floating_point())


def _layout(module: Any) -> str:
    """How a layer of the base model holds its weight, or "" where it is not quantized."""
    kind = type(module)
    if not kind.__module__.startswith("bitsandbytes."):
        return ""
    return {"Linear4bit": getattr(module.weight, "quant_type", ""), "Linear8bitLt": "int8"}.get(kind.__name__, "")
