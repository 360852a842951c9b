"""The smallest changes that make a run fit into free memory, each with its own forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core import units
from core.recipe.adapters import adapter_of
from core.recipe.memory import forecast
from core.recipe.model_shape import ModelShape
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.precision import DeviceType
from core.recipe.recipe import KNOBS, Recipe, put
from core.recipe.tasks import TASKS
from core.recipe.values import Value

_SHORTEST, _SMALLEST_RANK = 256, 4
_TOGETHER = 5
"""How many changes are combined at most."""
_PARTS = 64
"""Into how many parts a batch is divided at most."""
_WORTH = 0.03
"""The share of the memory that a change must save to be combined with others."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """Changes of a recipe that go together.

    Attributes:
        values: the fields with their new values.
        words: what it does and costs, a sentence.
        total: the forecast with it, in bytes.
        fits: whether that is free.
    """

    values: Mapping[str, Value]
    words: str
    total: float
    fits: bool

    @property
    def title(self) -> str:
        """The fields and values: `Batch size 2, Gradient accumulation 8`."""
        return ", ".join(f"{KNOBS[path].title} {_shown(value)}" for path, value in self.values.items())

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with the changes."""
        for path, value in self.values.items():
            recipe = put(recipe, path, value)
        return recipe


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return units.count(value) if isinstance(value, int) else str(value)


def changes_that_fit(
    recipe: Recipe, shape: ModelShape, device: DeviceType, free: float, *, longest: int = 0, factor: float = 1.0
) -> list[MemoryChange]:
    """What makes the run fit, the smallest change first; where no single one does, what several do together.

    Args:
        recipe: what does not fit.
        shape: the model's.
        device: where it would run.
        free: bytes that are free.
        longest: tokens of the longest sample, where known.
        factor: what forecasts of this model are multiplied with, by its measured runs.
    """

    def total(changed: Recipe) -> float:
        return forecast(changed, shape, device, longest=longest).total * factor

    now = total(recipe)
    steps = list(_steps(recipe, shape, device, longest))
    found = []
    for ladder in steps:
        for values, words in ladder:
            change = _change(recipe, values, words, total, free)
            if change.fits:
                found.append(change)
                break
    if found:
        return found[:_SHOWN]
    together: dict[str, Value] = {}
    said: list[str] = []
    tried: list[MemoryChange] = []
    for ladder in steps:
        best = min(
            (_change(recipe, {**together, **values}, words, total, free) for values, words in ladder),
            key=lambda each: (not each.fits, each.total if not each.fits else 0.0),
            default=None,
        )
        if best is None or best.total > (1 - _WORTH) * now:
            continue
        now = best.total
        together = dict(best.values)
        said.append(best.words)
        tried.append(MemoryChange(together, " ".join(said), best.total, best.fits))
        if best.fits or len(said) == _TOGETHER:
            break
    return [each for each in tried if each.fits] or tried[-1:]


def _change(
    recipe: Recipe, values: Mapping[str, Value], words: str, total: Callable[[Recipe], float], free: float
) -> MemoryChange:
    needed = total(MemoryChange(values, words, 0.0, False).apply(recipe))
    return MemoryChange(values, words, needed, needed <= free)


_Ladder = Sequence[tuple[Mapping[str, Value], str]]


def _steps(recipe: Recipe, shape: ModelShape, device: DeviceType, longest: int) -> Iterator[_Ladder]:
    """Ways to need less, from those that change no result to those that do; each with ever larger steps."""
    training = recipe.training
    batches: list[tuple[Mapping[str, Value], str]] = []
    size = training.batch_size
    for parts in [each for each in range(2, min(size, _PARTS) + 1) if size % each == 0]:
        accumulation = training.gradient_accumulation * parts
        values: dict[str, Value] = {
            "training.batch_size": size // parts,
            "training.gradient_accumulation": accumulation,
        }
        batches.append((values, "The same effective batch size, in more, smaller batches."))
    yield batches
    if not training.activation_checkpointing and adapter_of(recipe).recomputes:
        yield [({"training.activation_checkpointing": True}, "Steps take 20 to 30% longer; the result is the same.")]
    if recipe.data.packing in ("bfd", "bfd_split") and recipe.model.attention != "flash_attention_2":
        yield [({"data.packing": "none"}, "No mask over packed documents, but more padding, so epochs take longer.")]
    smaller = "paged_adamw_8bit" if "paged" in training.optimizer else "adamw_8bit"
    states = OPTIMIZERS[training.optimizer].state_bytes(training, 4)
    if device != "cpu" and smaller in OPTIMIZERS and states > 2:
        yield [({"training.optimizer": smaller}, "Optimizer states in 8 bits.")]
    quantizable = device != "cpu" and recipe.model.quantization != "nf4" and not shape.quantized
    if quantizable and adapter_of(recipe).over_quantized(recipe, "nf4") is None:
        yield [({"model.quantization": "nf4"}, "QLoRA: the base model in 4 bits, slightly less accurate and slower.")]
    length = min(recipe.data.max_length, longest) if longest else recipe.data.max_length
    lengths: list[tuple[Mapping[str, Value], str]] = []
    while length // 2 >= _SHORTEST:
        length //= 2
        lengths.append(({"data.max_length": length}, f"Cuts samples longer than {length:,} tokens."))
    if adapter_of(recipe).reads("lora.rank"):
        ranks: list[tuple[Mapping[str, Value], str]] = []
        rank, scale = recipe.lora.rank, recipe.lora.alpha / recipe.lora.rank
        while rank // 2 >= _SMALLEST_RANK:
            rank //= 2
            ranks.append(({"lora.rank": rank, "lora.alpha": rank * scale}, "A smaller adapter, which learns less."))
        yield ranks
    yield lengths
    if adapter_of(recipe).whole:
        low, high = TASKS[recipe.task].rates["lora"]
        values = {"method": "lora", "training.learning_rate": low}
        yield [(values, f"Trains an adapter, not every weight; the usual learning rate is {low:g} to {high:g}.")]
