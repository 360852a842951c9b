"""What to change where a run would need more memory than there is: what its largest part depends on."""

from __future__ import annotations

from core.recipe.adapters import adapter_of
from core.recipe.memory import DeviceType, Forecast
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe


def less_memory(recipe: Recipe, shape: ModelShape, need: Forecast, device: DeviceType) -> tuple[str, str]:
    """A sentence on what needs the most memory and how to reduce it; and the field to start with.

    Args:
        recipe: what does not fit.
        shape: the model's.
        need: its forecast.
        device: where it would run; quantized weights need a GPU.
    """
    of_batch = need.activations + need.head
    of_training = need.optimizer + need.gradients + need.adapter
    if of_batch >= max(need.weights, of_training):
        training = recipe.training
        ways = ["a smaller batch"] if training.batch_size > 1 else []
        ways.append("a smaller max length")
        if not training.activation_checkpointing:
            ways.append("activation checkpointing")
        field = "training.batch_size" if training.batch_size > 1 else "data.max_length"
        return f"Activations need the most: use {_either(ways)}.", field
    adapter = adapter_of(recipe)
    if adapter.whole or need.weights < of_training:
        return adapter.less_memory
    if device == "cuda" and recipe.model.quantization != "nf4" and not shape.quantized:
        return "The weights need the most: use nf4 or a smaller model.", "model.quantization"
    return "The weights need the most: use a smaller model.", "model.path"


def _either(ways: list[str]) -> str:
    return f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
