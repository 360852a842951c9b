"""What a run trains of a model: one row for each value of the recipe's `method`. Everybody else asks the row.

No torch and no peft here: a kind says which class of peft it wants with which arguments, as plain data, and
`core.training.configuration` makes that real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.recipe.conditions import Condition, one_of
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe
    from core.recipe.sections.lora import Lora


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


def lora_scale(lora: Lora) -> float:
    """The factor of LoRA's update; rslora's falls with the square root of the rank alone (arXiv 2312.03732)."""
    return lora.alpha / (lora.rank**0.5 if lora.variant == "rslora" else lora.rank)


def _lora_config(recipe: Recipe) -> PeftConfig:
    lora = recipe.lora
    arguments = {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": "all-linear" if lora.targets == ("all-linear",) else list(lora.targets),
        "use_rslora": lora.variant == "rslora",
        "use_dora": lora.variant == "dora",
        "modules_to_save": list(lora.modules_to_save) or None,
        "task_type": "CAUSAL_LM",
    }
    return PeftConfig("LoraConfig", arguments)


def _lora_parameters(recipe: Recipe, shape: ModelShape) -> int:
    lora = recipe.lora
    adapted = shape.targeted(lora.targets)
    factors = sum(lora.rank * (module.inputs + module.outputs) for module in adapted)
    magnitudes = sum(module.outputs for module in adapted) if lora.variant == "dora" else 0
    experts = sum(lora.rank * one.parts * one.count * one.sides for one in shape.targeted_experts(lora.targets))
    return factors + magnitudes + experts + shape.whole_modules(lora.modules_to_save)


def base_is_quantized(recipe: Recipe, shape: ModelShape) -> bool:
    """Whether the adapter is trained over a quantized base, which the recipe asks for or which is stored so."""
    return recipe.model.quantization != "none" or bool(shape.quantized)


def _lora_terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    lora = recipe.lora
    inputs = sum(module.inputs for module in shape.targeted(lora.targets)) / max(1, shape.layers)
    return MemoryTerms(
        # peft keeps adapters in float32 beside 16-bit weights; trl casts them to bfloat16 beside quantized ones.
        width=2 if base_is_quantized(recipe, shape) else 4,
        saved_width=4,
        layer=int(inputs * (5.8 if lora.dropout else 1.8)),  # dropout keeps a mask and a copy of each input
        head="lm_head" in lora.modules_to_save,
    )


def _lora_over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    if recipe.lora.variant == "dora" and quantization == "int8":
        return Problem("lora.variant", "dora cannot train on an int8 base. Use nf4, or set the variant to plain.")
    return None


def _full_terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    return MemoryTerms(width=width, saved_width=width, layer=2 * (3 * shape.hidden + shape.intermediate), head=True)


def _full_over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    if quantization == "none":
        return None
    words = (
        "Quantized weights cannot be trained. Set the method to lora, or set quantization to none instead of "
        f"{quantization}."
    )
    return Problem("model.quantization", words)


ADAPTERS: tuple[Adapter, ...] = (
    Adapter(
        kind="lora",
        meaning="a small adapter on top of the frozen model; with quantization this is QLoRA",
        whole=False,
        section="lora",
        peft_config=_lora_config,
        parameters=_lora_parameters,
        memory_terms=_lora_terms,
        over_quantized=_lora_over_quantized,
        folder="adapter",
        weights="adapter_model.safetensors",
        library="peft",
        tags=("lora",),
        made="LoRA adapter for",
        rates=Rates("LoRA", above=4.0, below=0.1),
        less_memory=("The adapter takes the most memory. Use a smaller rank or fewer target modules.", "lora.rank"),
    ),
    Adapter(
        kind="full",
        meaning="every weight of the model",
        whole=True,
        section="",
        peft_config=lambda recipe: None,
        parameters=lambda recipe, shape: shape.parameters - shape.outside_parameters,
        memory_terms=_full_terms,
        over_quantized=_full_over_quantized,
        folder="model",
        weights="config.json",
        library="transformers",
        tags=(),
        made="Fine-tuned from",
        rates=Rates("full fine-tuning", above=2.0, below=0.0),
        less_memory=("Training every weight takes the most memory. Set the method to lora.", "method"),
    ),
)
"""All kinds, in the order of the form."""

_BY_KIND = {adapter.kind: adapter for adapter in ADAPTERS}


def adapter_of(recipe: Recipe) -> Adapter:
    """The kind that a recipe trains."""
    return _BY_KIND[recipe.method]


def with_section(name: str) -> Condition:
    """That the method is one whose settings are in this section."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if adapter.section == name))


def with_adapter() -> Condition:
    """That the method is one that adds an adapter to the model."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if not adapter.whole))
