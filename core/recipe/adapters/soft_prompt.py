"""What is shared by the kinds that learn vectors before the text and leave the model unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import MemoryTerms, base_is_quantized
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe

SECTION = "soft_prompt"

LESS_MEMORY = ("The activations take the most memory. Use a smaller batch size.", "training.batch_size")


LIMITS = (
    "Virtual tokens cannot be merged into the model, and servers such as vLLM load only LoRA adapters: use them with "
    "the code below."
)


def terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    """Nothing in the layers: the vectors are a few more tokens."""
    return MemoryTerms(width=2 if base_is_quantized(recipe, shape) else 4, saved_width=4, layer=0, head=False)


def over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    """They train on any base model, because they change nothing in it."""
    return None
