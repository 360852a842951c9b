"""What can be read of a built trainer: modules, tensors and settings, as the fields' witnesses ask for them.

Each function takes the trainer and the recipe and returns every value that it finds. `core.training.effects` looks
whether the one that a field was set to is among them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from core.recipe.adapters import adapter_of
from core.recipe.precision import precision_of
from core.recipe.recipe import KNOBS, Recipe

_NAME = "default"
"""The adapter's name in peft's dictionaries."""


def base_path(trainer: Any, recipe: Recipe) -> set[Any]:
    """Where the model says that it came from."""
    return {trainer.model.config.name_or_path}


def precisions(trainer: Any, recipe: Recipe) -> set[Any]:
    """The choices of `model.dtype` that describe the base model's weights and the trainer's autocast."""
    whole = adapter_of(recipe).whole
    held = {str(weight.dtype).removeprefix("torch.") for weight in _base_weights(trainer.model)}
    mixed = "bf16" if trainer.args.bf16 else "fp16" if trainer.args.fp16 else "no"
    meant = {choice: precision_of(choice, "cpu", whole=whole) for choice in KNOBS["model.dtype"].choices}
    return {choice for choice, one in meant.items() if one.weights in held and one.mixed == mixed}


def quantizations(trainer: Any, recipe: Recipe) -> set[Any]:
    """How the linear layers are held: `nf4`, `int8`."""
    return {_layout(module) for module in trainer.model.modules()} - {""}


def double_quantizations(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the constants of 4-bit layers are quantized as well."""
    four_bit = (module for module in trainer.model.modules() if _layout(module) == "nf4")
    return {bool(getattr(module.weight, "compress_statistics", None)) for module in four_bit}


def attention_kernels(trainer: Any, recipe: Recipe) -> set[Any]:
    """The kernels of the modules that attend; none in a model without attention."""
    attending = [module for module in trainer.model.modules() if "Attention" in type(module).__name__]
    configs = [getattr(module, "config", trainer.model.config) for module in attending]
    return {getattr(config, "_attn_implementation", None) for config in configs}


def lora_ranks(trainer: Any, recipe: Recipe) -> set[Any]:
    """The ranks of the adapter's factors."""
    return {module.r[_NAME] for module in _lora_layers(trainer.model)}


def lora_scales(trainer: Any, recipe: Recipe) -> set[Any]:
    """The factors by which its updates are multiplied."""
    return {module.scaling[_NAME] for module in _lora_layers(trainer.model)}


def lora_dropouts(trainer: Any, recipe: Recipe) -> set[Any]:
    """The shares of its inputs that are zeroed."""
    found = [module.lora_dropout[_NAME] for module in _lora_layers(trainer.model) if _NAME in module.lora_dropout]
    return {getattr(module, "p", 0.0) for module in found}


def lora_variants(trainer: Any, recipe: Recipe) -> set[Any]:
    """How its updates are computed."""
    layers = list(_lora_layers(trainer.model))
    ranks = {(module.r[_NAME], module.scaling[_NAME]) for module in layers}
    found = {"dora" for module in layers if _NAME in getattr(module, "lora_magnitude_vector", {})}
    # By their scale, a rank of 1 is both.
    by_root = {rank for rank, scale in ranks if scale == recipe.lora.alpha / rank**0.5}
    return found | ({"rslora"} if by_root else set()) | ({"plain"} if not found else set())


def lora_targets(trainer: Any, recipe: Recipe) -> set[Any]:
    """The targets of the recipe, where each of them names an adapted layer."""
    adapted = [*_adapted_names(trainer.model)]
    wanted = recipe.lora.targets
    if not adapted or not all(name == "all-linear" or _names_one(name, adapted) for name in wanted):
        return set()
    return {wanted}


def saved_modules(trainer: Any, recipe: Recipe) -> set[Any]:
    """The modules of the recipe that are trained whole, where each of them is."""
    whole = [name for name, module in trainer.model.named_modules() if type(module).__name__ == "ModulesToSaveWrapper"]
    wanted = recipe.lora.modules_to_save
    return {wanted} if all(_names_one(name, whole) for name in wanted) else set()


def save_intervals(trainer: Any, recipe: Recipe) -> set[Any]:
    """Steps between checkpoints, 0 for none."""
    return {trainer.args.save_steps if trainer.args.save_strategy == "steps" else 0}


def eval_intervals(trainer: Any, recipe: Recipe) -> set[Any]:
    """Steps between evaluations, 0 for none."""
    return {trainer.args.eval_steps if trainer.args.eval_strategy == "steps" else 0}


def scheduler_arguments(trainer: Any, recipe: Recipe) -> set[Any]:
    """What the learning rate schedule takes besides the warmup."""
    return set((trainer.args.lr_scheduler_kwargs or {}).values())


def optimizer_arguments(trainer: Any, recipe: Recipe) -> set[Any]:
    """What the optimizer takes besides rate, betas and epsilon."""
    given = (trainer.args.optim_args or "").split(",")
    return {float(part.partition("=")[2]) for part in given if part}


def growing_segments(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the GPU memory allocator grows its segments."""
    return {"expandable_segments:True" in os.environ.get("PYTORCH_ALLOC_CONF", "")}


def deterministic_algorithms(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether torch refuses algorithms that give another result each time."""
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


def _lora_layers(model: Any) -> Iterator[Any]:
    from peft.tuners.lora import LoraLayer

    yield from (module for module in model.modules() if isinstance(module, LoraLayer) and _NAME in module.r)


def _adapted_names(model: Any) -> Iterator[str]:
    """The names of adapted layers; of fused experts, those of the layers in them."""
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lora.layer import ParamWrapper

    from core.recipe.families import family_of

    fused = family_of(model.config.to_dict()).fused
    for name, module in model.named_modules():
        if isinstance(module, ParamWrapper):
            yield from (f"{name}.{layer}" for layer in (module.parameter_name, *fused.get(module.parameter_name, ())))
        elif isinstance(module, LoraLayer):
            yield name


def _names_one(wanted: str, names: Iterable[str]) -> bool:
    ending = re.compile(rf"(^|\.){re.escape(wanted)}$")
    return any(ending.search(name) for name in names)
