"""A fast forecast of a run's memory, part by part, from tensor shapes; an estimate, shown with `~`.

The peak of a step is the largest of four moments, and which one it is depends on model, batch and task:

- the loss: the output layer's buffers, while every saved activation is still there;
- a layer's backward pass: its own activations (computed again under checkpointing) and the gradients so far;
- the optimizer's step, where all weights are trained: all gradients and what the update needs beside them;
- generation, for tasks that have the model write: keys and values of all sequences that are written at once.

The factors were fitted to exact forecasts (`core.training.forecast`); `docs/memory.md` has both for twenty
configurations, experts included, and a test holds them within 15%. What a task or a kind of adapter adds is declared in
its row (`Task.memory`, `Adapter.memory_terms`).

- TRL computes the loss in tiles. On a GPU its Triton kernels work inside the tile; on a CPU torch needs 29 bytes more
  for each entry.
- Attention: flash kernels keep nothing of the length squared. A batch with padding, or several documents in a sequence,
  needs a mask, which torch widens for each layer; eager attention keeps all scores.
- Float32 weights under autocast: torch caches 16-bit copies of what is trained through the forward pass.
- FSDP divides weights, gradients and optimizer states by the ranks; each rank puts two layers, embedding and head
  together. DDP adds gradients up in a copy of them.

Not tested on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.errors import BadInput
from core.recipe.adapters import MemoryTerms, adapter_of, base_is_quantized
from core.recipe.devices import is_sharded, ranks_of
from core.recipe.model_shape import ModelShape, read_shape
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.precision import DeviceType, Precision, precision_of
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS, TaskMemory

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
    task, adapter = TASKS[recipe.task], adapter_of(recipe)
    if not task.dropout:
        recipe = put(recipe, "lora.dropout", 0.0)
    held, needs, training = _precision(recipe, device), task.memory(recipe), recipe.training
    known = longest > 0 and recipe.data.packing == "none" and not needs.length
    most = needs.length or recipe.data.max_length
    length = min(most, longest) if known else most
    rows = training.batch_size * task.sequences
    tokens = rows * length
    terms = _terms(recipe, shape, held)
    parts = ranks_of(recipe) if is_sharded(recipe) else 1
    trained = trained_parameters(recipe, shape) / parts
    gradients = float(trained * terms.width)
    reducing = gradients if ranks_of(recipe) > 1 and parts == 1 else 0.0
    weights = weight_bytes(recipe, shape, device) / parts * (2 if adapter.whole and task.holds_reference(recipe) else 1)
    weights += _models_beside(needs, held)
    beside = 0.0 if adapter.whole else gradients
    # Gradients are there in the next forward pass, too, where a step has several.
    kept = gradients if adapter.whole and training.gradient_accumulation > 1 else 0.0
    optimizer = trained * _state_bytes(recipe, terms.width)

    layer = tokens * _layer_bytes(recipe, shape, terms.layer, held)
    layer += tokens * _expert_bytes(shape, held)
    mask, scores = _attention_bytes(recipe, shape, held, device, rows, length)
    layer += scores
    # Inputs of the layers; final norm and embedding.
    edges = tokens * shape.hidden * (shape.layers * held.width + 6.3)
    checkpointed = training.activation_checkpointing
    experts = _merged_experts(recipe, shape, held)
    saved = mask + (edges if checkpointed else shape.layers * (layer + experts) + edges)
    if checkpointed:
        saved += tokens * shape.layers * _kept_inputs(recipe, shape, held)
    if training.activation_offloading and device != "cpu":
        saved = mask + tokens * shape.hidden * 6.3  # the rest waits in RAM
    head = _head_bytes(shape, held, device, needs, tokens, trained=terms.head)
    # The backward pass holds 1.25 layers where they were forgotten, 0.25 where they are among what was saved.
    again = 0.95 if base_is_quantized(recipe, shape) else 1.25
    back = (again if checkpointed else 0.25) * layer + _unpacked(recipe, shape)
    back += (2 if checkpointed else 1) * experts  # those of one layer, and their gradient
    forward_copies, back_copies = _copies(recipe, shape, held, parts)
    moments = (
        (kept, saved, head, forward_copies),
        (max(kept, beside), saved + back, 0.0, back_copies),
        (gradients, _update_bytes(recipe, shape, held, device, trained * terms.width, parts), 0.0, 0.0),
        (kept, _cache_bytes(shape, held, needs), 0.0, 0.0),
    )
    at_peak, activations, buffers, copies = max(moments, key=sum)
    return Forecast(weights, beside, at_peak + reducing, optimizer, activations, buffers, context_bytes(device), copies)


def context_bytes(device: DeviceType) -> float:
    """Memory in use before the first tensor: the CUDA context, or Python with torch and TRL imported."""
    return _CONTEXT[device]


def _models_beside(needs: TaskMemory, held: Precision) -> float:
    """Bytes of the other models of a task that are on this machine, in 16 bits."""
    found = 0.0
    for path in needs.beside:
        try:
            found += read_shape(path).parameters * held.compute_width
        except (BadInput, OSError):
            continue  # the preflight says what is wrong with it
    return found


def _head_bytes(
    shape: ModelShape, held: Precision, device: DeviceType, needs: TaskMemory, tokens: float, *, trained: bool
) -> float:
    """What output layer and loss need beside the weights, at the end of the forward pass and in its backward pass."""
    gradient = 4 * shape.vocabulary * shape.hidden if trained else 0
    ends = (4 + held.compute_width) * shape.hidden * tokens
    if needs.logits:
        return needs.logits * shape.vocabulary * tokens + ends + gradient
    if not needs.heads:
        return 0.0
    rows = min(tokens, _HEAD_TOKENS)
    tile = held.compute_width * _HEAD_COLUMNS * rows  # as wide for a small vocabulary
    if device == "cpu":
        tile += 29.0 * min(shape.vocabulary, _HEAD_COLUMNS) * rows
    return needs.heads * tile + ends + gradient


def _attention_bytes(
    recipe: Recipe, shape: ModelShape, held: Precision, device: DeviceType, rows: int, length: int
) -> tuple[float, float]:
    """The mask of a batch, and what one layer keeps of attention beyond queries, keys, values and their product."""
    if recipe.model.attention == "flash_attention_2":
        return 0.0, 0.0
    documents = recipe.data.packing in ("bfd", "bfd_split")  # they are one long row
    square = float(rows * length) ** 2 if documents else float(rows) * length**2
    masked = documents or (recipe.data.packing == "none" and rows > 1)
    mask = square if masked else 0.0
    if recipe.model.attention == "eager":
        scores = 4 if held.compute_width == 4 else 4 + held.compute_width  # in 32 bits, and as they are multiplied
        return square * held.compute_width, square * shape.heads * scores
    if device == "cpu":
        return mask, 0.0
    if not masked:  # without flash attention, grouped heads fall back to the kernel that stores all scores
        grouped = device == "cuda_fp16" and shape.kv_heads < shape.heads
        return 0.0, 8.0 * shape.heads * square if grouped else 0.0
    repeated = 2.0 * (shape.heads - shape.kv_heads) * shape.head_dim * held.compute_width * rows * length
    return mask, square * held.compute_width + repeated


def _kept_inputs(recipe: Recipe, shape: ModelShape, held: Precision) -> float:
    """Bytes per token that checkpointing does not free in one layer: bitsandbytes' 8-bit layers keep their inputs."""
    if recipe.model.quantization != "int8":
        return 0.0
    return held.compute_width * (2.0 * shape.hidden + shape.heads * shape.head_dim + shape.intermediate)


def _expert_bytes(shape: ModelShape, held: Precision) -> float:
    """What the experts of one layer save, in bytes per token: inputs, both halves, their product and the outputs."""
    if not shape.experts:
        return 0.0
    return shape.experts_per_token * held.compute_width * (4.0 * shape.hidden + 5.0 * shape.expert_inner)


def _update_bytes(
    recipe: Recipe, shape: ModelShape, held: Precision, device: DeviceType, trained: float, parts: int
) -> float:
    """What there is beside weights, all gradients and states: as the backward pass ends, or in the optimizer's step."""
    name = recipe.training.optimizer
    if not adapter_of(recipe).whole:
        return 0.0
    outer = 2.0 * shape.vocabulary * shape.hidden * held.width / parts
    tied = outer if shape.tied else 0.0  # its two gradients and their sum, at the end of the backward pass
    if "fused" in name or "bit" in name:
        return tied
    if device != "cpu" and name == "adamw_torch":
        return max(trained, tied)  # all roots of the second moments at once
    return outer


def _cache_bytes(shape: ModelShape, held: Precision, needs: TaskMemory) -> float:
    """Keys and values of the sequences that are generated at once, and their last logits."""
    if not needs.generated:
        return 0.0
    each = 2.0 * shape.layers * shape.kv_heads * shape.head_dim * held.compute_width * max(1, needs.length)
    return needs.generated * (each + 8.0 * shape.vocabulary)


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
    """Bytes of optimizer state per trained parameter, which itself has `width` bytes."""
    return OPTIMIZERS[recipe.training.optimizer].state_bytes(recipe.training, width)


def _precision(recipe: Recipe, device: DeviceType) -> Precision:
    return precision_of(recipe.model.dtype, device, whole=adapter_of(recipe).whole)


def _layer_bytes(recipe: Recipe, shape: ModelShape, more: int, held: Precision) -> float:
    """What one layer saves for its backward pass, in bytes per token; `more` is what the trained kind adds."""
    inner = 0 if shape.experts else shape.intermediate
    wide = 1.23 if held.masters else 1.55 if held.width == 4 else 1.0
    # Beside quantized weights the adapter has 16 bits, whatever the rest has: its inputs are kept as they are.
    narrow = wide if not base_is_quantized(recipe, shape) else 0.78 if wide > 1 else 0.55
    return (18 * shape.hidden + 6 * inner) * wide + more * narrow


def _unpacked(recipe: Recipe, shape: ModelShape) -> float:
    """The largest quantized matrix, unpacked to 16 bits while it is multiplied with."""
    if not base_is_quantized(recipe, shape):
        return 0.0
    return 2.0 * max((module.inputs * module.outputs for module in shape.linear), default=0)
