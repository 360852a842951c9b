"""Every weight of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, Rates
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


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


FULL = Adapter(
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
    rates=Rates("full fine-tuning", above=2.0, below=0.0, like="full"),
    less_memory=("Training every weight takes the most memory. Set the method to lora.", "method"),
    title="Full fine-tuning",
    shards=True,
)
