"""What a kind of trained weights says of itself: the type of the rows.

No torch and no peft here: a kind says which class of peft it wants with which arguments, as plain data, and
`core.training.configuration` makes that real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class PeftConfig:
    """A configuration of peft: the name of its class, and what that is called with."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MemoryTerms:
    """What a kind adds to the memory of a step.

    Attributes:
        width: bytes of one trained number, and of its gradient.
        saved_width: bytes of one trained number in a checkpoint.
        layer: bytes a token that one layer keeps for its way back, beyond those of every kind.
        head: whether the output layer gets a gradient.
    """

    width: int
    saved_width: int
    layer: int
    head: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """How far a learning rate may be from the usual ones of its task (`Task.rates`) before the form warns.

    Attributes:
        name: what sentences call this kind of training.
        above: times the highest usual rate.
        below: times the lowest.
    """

    name: str
    above: float
    below: float


@dataclass(frozen=True, slots=True)
class Adapter:
    """One kind.

    Attributes:
        kind: the value of `method`.
        meaning: what the form says about it.
        whole: whether the model's own weights are trained, rather than an adapter beside them.
        section: the recipe's section with its settings, or "".
        peft_config: peft's configuration; None where nothing is added to the model.
        parameters: how many numbers are trained, exactly.
        memory_terms: what it adds to the forecast, from the recipe, the model and the bytes of one of its weights.
        over_quantized: why it cannot train weights that are quantized so (`nf4`, `int8`); None where it can.
        folder: where in a run's folder the trained weights are.
        weights: the file that is there once they are.
        library: which library loads them, for the card.
        tags: more of the card.
        made: the card's words before the base model's name.
        rates: when a learning rate is too high or too low.
        less_memory: what needs less where the trained part is too much, and the field to change.
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


def base_is_quantized(recipe: Recipe, shape: ModelShape) -> bool:
    """Whether the adapter is trained over a quantized base, which the recipe asks for or which is stored so."""
    return recipe.model.quantization != "none" or bool(shape.quantized)
