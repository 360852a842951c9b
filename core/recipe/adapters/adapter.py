"""The declaration of one kind of trained weights: the type of the rows.

No torch and no peft here: a kind says which class of peft it wants with which arguments, as plain data, and
`core.training.configuration` makes that real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.recipe.adapters.reach import Reach
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """A configuration of peft: the name of its class, what that is called with, and whether the class is ours."""

    name: str
    arguments: Mapping[str, Any]
    ours: bool = False


@dataclass(frozen=True, slots=True)
class MemoryTerms:
    """What a kind adds to the memory of a step.

    Attributes:
        width: bytes of one trained number, and of its gradient.
        saved_width: bytes of one trained number in a checkpoint.
        layer: bytes per token that one layer keeps for the backward pass, beyond those of every kind.
        head: whether the output layer gets a gradient.
    """

    width: int
    saved_width: int
    layer: int
    head: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """The usual learning rates, relative to those of the task (`Task.rates`), and how far from them the form warns.

    Attributes:
        name: what sentences call this kind of training.
        above: times the highest usual rate.
        below: times the lowest.
        like: which rates of the task it is based on: `lora` or `full`.
        times: the factor between those rates and its own.
    """

    name: str
    above: float
    below: float
    like: str = "lora"
    times: float = 1.0

    def usual(self, rates: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
        """The usual learning rates, from and to, by those of a task."""
        low, high = rates[self.like]
        return significant_number(low * self.times), significant_number(high * self.times)


def significant_number(value: float) -> float:
    """A number without the stray digits of floating-point multiplication."""
    return float(f"{value:.6g}")


def _no_reach(recipe: Recipe) -> Reach | None:
    return None


@dataclass(frozen=True, slots=True)
class Adapter:
    """One kind.

    Attributes:
        kind: the value of `method`.
        meaning: what the form says about it.
        whole: whether the model's own weights are trained, rather than an adapter beside them.
        shards: whether fsdp can split a model that is trained this way.
        recomputes: whether activations can be recomputed in the backward pass.
        partial: whether only some of the model's own weights are trained.
        section: the recipe's section with its settings, or "".
        peft_config: peft's configuration; None where nothing is added to the model.
        parameters: how many numbers are trained, exactly.
        memory_terms: what it adds to the forecast, from the recipe, the model and the bytes of one of its weights.
        over_quantized: why it cannot train on weights quantized this way (`nf4`, `int8`); None if it can.
        folder: where in a run's folder the trained weights are.
        weights: the file that is there once they are.
        library: which library loads them, for the card.
        tags: more of the card.
        made: the card's words before the base model's name.
        rates: when a learning rate is too high or too low.
        less_memory: what needs less where the trained part is too much, and the field to change.
        title: what sentences call it, `IA3`.
        source: where it comes from, with its number on arXiv.
        fields: the fields of its section that it reads; empty for all of them.
        reach: which parts of the model it adapts; None where it adds none to layers.
        merges: which base weights it can be merged into: some of `none`, `nf4`, `int8`.
        peft_type: what `adapter_config.json` calls it, `LORA`.
        limits: what it cannot be used for once saved, as a sentence for Export; "" for no limits.
        exact: whether a checkpoint of peft holds all that is trained; else the worker saves the rest beside it.
    """

    kind: str
    meaning: str
    whole: bool
    section: str
    peft_config: Callable[[Recipe], PeftConfig | None]
    parameters: Callable[[Recipe, ModelShape], int]
    memory_terms: Callable[[Recipe, ModelShape, int], MemoryTerms]
    over_quantized: Callable[[Recipe, str], Problem | None]
    folder: str
    weights: str
    library: str
    tags: tuple[str, ...]
    made: str
    rates: Rates
    less_memory: tuple[str, str]
    title: str
    source: str = ""
    fields: tuple[str, ...] = ()
    reach: Callable[[Recipe], Reach | None] = _no_reach
    merges: tuple[str, ...] = ()
    peft_type: str = ""
    limits: str = ""
    exact: bool = True
    partial: bool = False
    shards: bool = False
    recomputes: bool = True

    def reads(self, path: str) -> bool:
        """Whether it reads a field of the recipe that is in its section or that of another kind."""
        section, _, field = path.rpartition(".")
        return section == self.section and (not self.fields or field in self.fields)


def base_is_quantized(recipe: Recipe, shape: ModelShape) -> bool:
    """Whether the adapter is trained on a quantized base: the recipe quantizes it, or it is stored quantized."""
    return recipe.model.quantization != "none" or bool(shape.quantized)
