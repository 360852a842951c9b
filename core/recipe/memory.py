"""A fast forecast of a run's memory, part by part, from tensor shapes; an estimate, shown with `~`.

The peak of a step is the largest of three moments, and which one it is depends on model and batch:

- the loss: the output layer's buffers, while every saved activation is still there;
- a layer's way back: its own activations (computed again under checkpointing) and the gradients so far;
- the optimizer's step, where all weights are trained: all gradients and two temporaries of the largest tensor.

The factors were fitted to what torch allocates under FakeTensorMode with transformers 5.23, peft 0.21 and trl 1.16.
Against the exact forecasts of Llama-3.1-8B, Qwen2.5-7B and Qwen2.5-0.5B (LoRA, QLoRA, full) the result is within 3%.
Float32 weights under autocast: torch caches 16-bit copies of what is trained through the forward pass. What a layer
saves then was measured on a CPU (1.23 times that of 16-bit weights). FSDP divides weights, gradients and optimizer
states by the ranks; each rank puts two layers, embedding and head together. DDP adds gradients up in a copy of them.
The buffers of the output layer are those without the Triton kernel: on a GPU that has it, less is needed.
Not exercised on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.recipe.adapters import MemoryTerms, adapter_of, base_is_quantized
from core.recipe.devices import is_sharded, ranks_of
from core.recipe.model_shape import ModelShape
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.precision import DeviceType, Precision, precision_of
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS

_CONTEXT = {"cuda": 0.8 * 2**30, "cuda_fp16": 0.8 * 2**30, "cpu": 0.6 * 2**30}
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
        copies: 16-bit copies of float32 weights under autocast, and what FSDP has put together of other ranks' parts.
    """

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    head: float
    context: float
    copies: float = 0.0

    @property
    def total(self) -> float:
        """The sum of the parts, in bytes."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """The parts by name, in the order of a memory bar."""
        return {
            "weights": self.weights,
            **({"copies": self.copies} if self.copies else {}),
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
        device: GPUs compute in 16 bits where the recipe leaves it open, the CPU in 32. Where every weight is trained,
            `core.runs.precision` says first what the recipe's `auto` comes to.
        longest: tokens of the longest sample, where known; else every row is taken to have the max length.
    """
    held = _precision(recipe, device)
    known = longest > 0 and recipe.data.packing == "none"
    length = min(recipe.data.max_length, longest) if known else recipe.data.max_length
    task, adapter = TASKS[recipe.task], adapter_of(recipe)
    tokens = recipe.training.batch_size * task.sequences * length
    terms = _terms(recipe, shape, held)
    parts = ranks_of(recipe) if is_sharded(recipe) else 1
    trained = trained_parameters(recipe, shape) / parts
    gradients = float(trained * terms.width)
    reducing = gradients if ranks_of(recipe) > 1 and parts == 1 else 0.0
    weights = weight_bytes(recipe, shape, device) / parts * (2 if adapter.whole and task.holds_reference(recipe) else 1)
    beside = 0.0 if adapter.whole else gradients
    # Gradients are there in the next forward pass, too, where a step has several.
    kept = gradients if adapter.whole and recipe.training.gradient_accumulation > 1 else 0.0
    optimizer = trained * _state_bytes(recipe, terms.width)

    layer = tokens * _layer_bytes(recipe, shape, terms.layer, held, device, length)
    # Inputs of the layers; final norm and embedding.
    edges = tokens * shape.hidden * (shape.layers * held.width + 6.3)
    checkpointed = recipe.training.activation_checkpointing
    experts = _merged_experts(recipe, shape, held)
    saved = edges if checkpointed else shape.layers * (layer + experts) + edges
    head = (
        31.0 * min(shape.vocabulary, _HEAD_COLUMNS) * min(tokens, _HEAD_TOKENS)
        + 6 * shape.hidden * tokens
        + (4 * shape.vocabulary * shape.hidden if terms.head else 0)
    )
    # The way back holds 1.42 layers where they were forgotten, 0.42 where they are among what was saved.
    back = (1.42 if checkpointed else 0.42) * layer + _unpacked(recipe, shape)
    back += (2 if checkpointed else 1) * experts  # those of one layer, and their gradient
    step = 2.0 * shape.vocabulary * shape.hidden * held.width / parts if adapter.whole else 0.0
    forward_copies, back_copies = _copies(recipe, shape, held, parts)
    moments = (
        (kept, saved, head, forward_copies),
        (max(kept, beside), saved + back, 0.0, back_copies),
        (gradients, step, 0.0, 0.0),
    )
    at_peak, activations, buffers, copies = max(moments, key=sum)
    return Forecast(weights, beside, at_peak + reducing, optimizer, activations, buffers, _CONTEXT[device], copies)


def _merged_experts(recipe: Recipe, shape: ModelShape, held: Precision) -> float:
    """The fused experts of one layer with their adapters added, which peft makes for each forward pass."""
    reach = adapter_of(recipe).reach(recipe)
    if reach is None or not shape.reached_experts(reach):
        return 0.0
    return held.width * shape.expert_parameters / max(1, shape.layers)


def _terms(recipe: Recipe, shape: ModelShape, held: Precision) -> MemoryTerms:
    terms = adapter_of(recipe).memory_terms(recipe, shape, held.width)
    # Float16's loss scaling wants float32 weights to train, and so does FSDP under any autocast.
    wide = held.mixed == "fp16" or (is_sharded(recipe) and held.mixed != "no")
    return replace(terms, width=4, saved_width=4) if wide else terms


def _copies(recipe: Recipe, shape: ModelShape, held: Precision, parts: int) -> tuple[float, float]:
    """What is there of weights beside themselves, in the forward pass with its loss, and on the way back."""
    linear = sum(module.inputs * module.outputs for module in shape.linear)
    one, outer = linear / max(1, shape.layers), float(shape.vocabulary * shape.hidden)
    if parts > 1:  # two layers are put together while one is computed, embedding and head for the whole step
        whole = held.compute_width * (2 * one + shape.embedding_parameters)
        return whole, whole + held.compute_width * one
    if not held.masters:
        return 0.0, 0.0
    layers = 2.0 * (one if recipe.training.activation_checkpointing else linear)
    if not adapter_of(recipe).whole:
        return layers, layers  # only of what takes a gradient does autocast keep its copies
    return 2.0 * (linear + outer), layers


def trained_parameters(recipe: Recipe, shape: ModelShape) -> int:
    """How many numbers the run trains, exactly."""
    adapter, outer = adapter_of(recipe), shape.vocabulary * shape.hidden
    found = adapter.parameters(recipe, shape)
    if not TASKS[recipe.task].head:
        return found
    return found + shape.hidden - (outer if adapter.whole and not shape.tied else 0)  # in place of the output layer


def weight_bytes(recipe: Recipe, shape: ModelShape, device: DeviceType) -> float:
    """Bytes of the base model's weights as loaded; embedding, head and norms are never quantized.

    Weights that are stored quantized are loaded as they are, and experts that are fused keep their 16 bits.
    """
    if shape.quantized:
        return float(shape.stored_bytes)
    width = _precision(recipe, device).width
    linear = sum(module.inputs * module.outputs for module in shape.linear) + shape.outside_parameters
    rest = shape.parameters - linear
    if recipe.model.quantization == "nf4":
        # 4 bits, and a constant for each 64: 32 bits, or 8 bits and 32 for each 256 of those (QLoRA, section 3).
        constants = 8 / 64 + 32 / (64 * 256) if recipe.model.double_quantization else 32 / 64
        return rest * width + linear * (4 + constants) / 8
    if recipe.model.quantization == "int8":
        return rest * width + linear
    return float(shape.parameters * width)


def checkpoint_bytes(recipe: Recipe, shape: ModelShape, device: DeviceType = "cuda") -> float:
    """Bytes of one checkpoint on disk: what is trained, and the optimizer's states."""
    width = _terms(recipe, shape, _precision(recipe, device)).saved_width
    state = 0.0 if recipe.training.save_only_model else _state_bytes(recipe, width)
    return trained_parameters(recipe, shape) * (width + state)


def _state_bytes(recipe: Recipe, width: float) -> float:
    """Bytes of optimizer state a trained parameter, which itself has `width` bytes."""
    return OPTIMIZERS[recipe.training.optimizer].state_bytes(recipe.training, width)


def _precision(recipe: Recipe, device: DeviceType) -> Precision:
    return precision_of(recipe.model.dtype, device, whole=adapter_of(recipe).whole)


def _layer_bytes(
    recipe: Recipe, shape: ModelShape, more: int, held: Precision, device: DeviceType, length: int
) -> float:
    """What one layer saves for its way back, in bytes a token; `more` is what the trained kind adds."""
    kept = 18 * shape.hidden + 6 * shape.intermediate + more
    # Without flash attention, grouped heads fall back to the kernel that stores length x length.
    grouped = device == "cuda_fp16" and shape.kv_heads < shape.heads
    if recipe.model.attention == "eager" or grouped:
        kept += 8 * shape.heads * length
    return kept * (1.23 if held.masters else 1.55 if held.width == 4 else 1.0)


def _unpacked(recipe: Recipe, shape: ModelShape) -> float:
    """The largest quantized matrix, unpacked to 16 bits while it is multiplied with."""
    if not base_is_quantized(recipe, shape):
        return 0.0
    return 2.0 * max((module.inputs * module.outputs for module in shape.linear), default=0)
