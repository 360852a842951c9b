"""The last layers of the model itself: the rest stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, Rates
from core.recipe.declare import Problem
from core.recipe.target_names import number_of

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    first = shape.layers - recipe.last_layers.count
    blocks = 0
    for name, count in shape.language_modules.items():
        number = number_of(name)
        blocks += count if number is not None and number >= first else 0
    after = sum(shape.language_modules.get(name, 0) for name in shape.final_norms)
    return blocks + after + (shape.vocabulary * shape.hidden if recipe.last_layers.head else 0)


def _terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    layer = 2 * (3 * shape.hidden + shape.intermediate)
    return MemoryTerms(width=width, saved_width=width, layer=layer, head=recipe.last_layers.head)


def _over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    if quantization == "none":
        return None
    words = (
        f"{quantization} weights cannot be trained, and this method trains the model's own. Set quantization to none, "
        "or use lora with Layers set to the last ones."
    )
    return Problem("model.quantization", words)


LAST_LAYERS = Adapter(
    kind="last_layers",
    meaning="the last layers of the model itself and its final norm; all others stay as they are",
    whole=True,
    section="last_layers",
    peft_config=lambda recipe: None,
    parameters=_parameters,
    memory_terms=_terms,
    over_quantized=_over_quantized,
    folder="model",
    weights="config.json",
    library="transformers",
    tags=(),
    made="Last layers fine-tuned from",
    rates=Rates("the last layers", above=4.0, below=0.0, like="full"),
    less_memory=("The trained layers take the most memory. Train fewer of them.", "last_layers.count"),
    title="Last layers",
    partial=True,
)
