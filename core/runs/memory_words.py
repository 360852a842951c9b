"""What to change when a run needs more memory than there is: what its largest part depends on."""

from __future__ import annotations

from core.recipe.adapters import adapter_of
from core.recipe.memory import Forecast
from core.recipe.model_shape import ModelShape
from core.recipe.precision import DeviceType
from core.recipe.recipe import Recipe


def less_memory(recipe: Recipe, shape: ModelShape, need: Forecast, device: DeviceType) -> tuple[str, str]:
    """What takes the most memory and how to reduce it, in two sentences, and the field to change first.

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
            ways.append("gradient checkpointing")
        field = "training.batch_size" if training.batch_size > 1 else "data.max_length"
        return f"Activations take the most memory. Use {_either(ways)}.", field
    adapter = adapter_of(recipe)
    if adapter.whole or need.weights < of_training:
        return adapter.less_memory
    if device != "cpu" and recipe.model.quantization != "nf4" and not shape.quantized:
        return "The weights take the most memory. Use nf4 quantization, or a smaller model.", "model.quantization"
    return "The weights take the most memory. Use a smaller model.", "model.path"


def _either(ways: list[str]) -> str:
    return f"{', '.join(ways[:-1])} or {ways[-1]}" if len(ways) > 1 else ways[0]
