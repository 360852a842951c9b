"""What a run trains of a model: one row and file for each value of the recipe's `method`. Everybody else asks the row.

Standard library only: what a kind puts into a model is made in `core.training.configuration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, PeftConfig, Rates, base_is_quantized
from core.recipe.adapters.full import FULL
from core.recipe.adapters.lora import LORA
from core.recipe.conditions import Condition, one_of

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

__all__ = [
    "ADAPTERS",
    "Adapter",
    "MemoryTerms",
    "PeftConfig",
    "Rates",
    "adapter_of",
    "base_is_quantized",
    "with_adapter",
    "with_section",
]

ADAPTERS: tuple[Adapter, ...] = (LORA, FULL)
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
