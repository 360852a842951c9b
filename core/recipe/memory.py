"""A fast forecast of a run's memory, part by part, from tensor shapes; an estimate, shown with `~`.

The peak of a step is the largest of three moments, and which one it is depends on model and batch:

- the loss: the output layer's buffers, while every saved activation is still there;
- a layer's way back: its own activations (computed again under checkpointing) and the gradients so far;
- the optimizer's step, where all weights are trained: all gradients and two temporaries of the largest tensor.

The factors were fitted to what torch allocates under FakeTensorMode with transformers 5.23, peft 0.21 and trl 1.16.
Against the exact forecasts of Llama-3.1-8B, Qwen2.5-7B and Qwen2.5-0.5B (LoRA, QLoRA, full) the result is within 3%.
The buffers of the output layer are those without the Triton kernel: on a GPU that has it, less is needed.
Not exercised on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.recipe.adapters import adapter_of, base_is_quantized
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS

DeviceType = Literal["cuda", "cpu"]

_STATE_BYTES = {"adamw_8bit": 2.0, "paged_adamw_8bit": 2.0, "lion_8bit": 1.0, "adafactor": 0.0, "sgd": 0.0}
"""Bytes of optimizer state a trained parameter; AdamW keeps two states in the parameter's own type."""

_CONTEXT = {"cuda": 0.8 * 2**30, "cpu": 0.6 * 2**30}
"""CUDA context and kernels (0.5 to 1 GiB); on a CPU the interpreter with torch and trl imported."""

_HEAD_COLUMNS, _HEAD_TOKENS = 32_768, 4_096
"""Width and height of the tiles in which trl computes the loss."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Bytes by part at the peak of a step. `total` is what must be free.

    Attributes:
        weights: the base model's, as loaded; also those of a reference model beside it.
        adapter: the adapter's weights.
        gradients: those that exist at the peak.
        optimizer: its states.
        activations: what the way back needs.
        head: buffers of the output layer and its loss.
        context: CUDA context, or the interpreter on a CPU.
    """

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    head: float
    context: float

    @property
    def total(self) -> float:
        """The sum of the parts, in bytes."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """The parts by name, in the order of a memory bar."""
        return {
            "weights": self.weights,
            "adapter": self.adapter,
            "optimizer": self.optimizer,
            "gradients": self.gradients,
            "activations": self.activations,
            "head": self.head,
            "context": self.context,
        }


def forecast(recipe: Recipe, shape: ModelShape, device: DeviceType, *, longest: int = 0) -> Forecast:
    """The memory of a run on one device.

    Args:
        recipe: what is trained and how.
        shape: the model.
        device: `cuda` computes in 16 bits where the recipe leaves it open, `cpu` in 32.
        longest: tokens of the longest sample, where known; else every row is taken to have the max length.
    """
    width = _width(recipe, device)
    known = longest > 0 and recipe.data.packing == "none"
    length = min(recipe.data.max_length, longest) if known else recipe.data.max_length
    task, adapter = TASKS[recipe.task], adapter_of(recipe)
    tokens = recipe.training.batch_size * task.sequences * length
    terms = adapter.memory_terms(recipe, shape, width)
    trained = trained_parameters(recipe, shape)
    gradients = float(trained * terms.width)
    weights = weight_bytes(recipe, shape, device) * (2 if adapter.whole and task.reference else 1)
    beside = 0.0 if adapter.whole else gradients
    optimizer = trained * _STATE_BYTES.get(recipe.training.optimizer, 2.0 * terms.width)

    layer = tokens * _layer_bytes(recipe, shape, terms.layer, width, length)
    edges = tokens * shape.hidden * (shape.layers * width + 6.3)  # inputs of the layers; final norm and embedding
    saved = edges if recipe.training.activation_checkpointing else shape.layers * layer + edges
    head = (
        31.0 * min(shape.vocabulary, _HEAD_COLUMNS) * min(tokens, _HEAD_TOKENS)
        + 6 * shape.hidden * tokens
        + (4 * shape.vocabulary * shape.hidden if terms.head else 0)
    )
    # The way back holds 1.42 layers where they were forgotten, 0.42 where they are among what was saved.
    back = (1.42 if recipe.training.activation_checkpointing else 0.42) * layer + _unpacked(recipe, shape)
    step = 2.0 * shape.vocabulary * shape.hidden * width if adapter.whole else 0.0
    moments = (
        (0.0, saved, head),
        (beside, saved + back, 0.0),
        (gradients, step, 0.0),
    )
    at_peak, activations, buffers = max(moments, key=sum)
    return Forecast(weights, beside, at_peak, optimizer, activations, buffers, _CONTEXT[device])


def trained_parameters(recipe: Recipe, shape: ModelShape) -> int:
    """How many numbers the run trains, exactly."""
    return adapter_of(recipe).parameters(recipe, shape)


def weight_bytes(recipe: Recipe, shape: ModelShape, device: DeviceType) -> float:
    """Bytes of the base model's weights as loaded; embedding, head and norms are never quantized.

    Weights that are stored quantized are loaded as they are, and experts that are fused keep their 16 bits.
    """
    if shape.quantized:
        return float(shape.stored_bytes)
    width = _width(recipe, device)
    linear = sum(module.inputs * module.outputs for module in shape.linear) + shape.outside_parameters
    rest = shape.parameters - linear
    if recipe.model.quantization == "nf4":
        # 4 bits, and a constant for each 64: 32 bits, or 8 bits and 32 for each 256 of those (QLoRA, section 3).
        constants = 8 / 64 + 32 / (64 * 256) if recipe.model.double_quantization else 32 / 64
        return rest * width + linear * (4 + constants) / 8
    if recipe.model.quantization == "int8":
        return rest * width + linear
    return float(shape.parameters * width)


def checkpoint_bytes(recipe: Recipe, shape: ModelShape) -> float:
    """Bytes of one checkpoint on disk: what is trained, and the optimizer's states."""
    width = adapter_of(recipe).memory_terms(recipe, shape, _width(recipe, "cuda")).saved_width
    state = _STATE_BYTES.get(recipe.training.optimizer, 2.0 * width)
    return trained_parameters(recipe, shape) * (width + state)


def _width(recipe: Recipe, device: DeviceType) -> int:
    if recipe.model.dtype == "auto":
        return 2 if device == "cuda" else 4
    return 4 if recipe.model.dtype == "float32" else 2


def _layer_bytes(recipe: Recipe, shape: ModelShape, more: int, width: int, length: int) -> float:
    """What one layer saves for its way back, in bytes a token; `more` is what the trained kind adds."""
    kept = 18 * shape.hidden + 6 * shape.intermediate + more
    if recipe.model.attention == "eager":
        kept += 8 * shape.heads * length
    return kept * (1.55 if width == 4 else 1.0)


def _unpacked(recipe: Recipe, shape: ModelShape) -> float:
    """The largest quantized matrix, unpacked to 16 bits while it is multiplied with."""
    if not base_is_quantized(recipe, shape):
        return 0.0
    return 2.0 * max((module.inputs * module.outputs for module in shape.linear), default=0)
