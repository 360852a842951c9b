"""What a run trains of a model: one row and file for each value of the recipe's `method`. Everybody else asks the row.

Standard library only: what a kind puts into a model is made in `core.training.configuration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, PeftConfig, Rates, base_is_quantized
from core.recipe.adapters.boft import BOFT
from core.recipe.adapters.bottleneck import BOTTLENECK
from core.recipe.adapters.full import FULL
from core.recipe.adapters.hira import HIRA
from core.recipe.adapters.ia3 import IA3
from core.recipe.adapters.last_layers import LAST_LAYERS
from core.recipe.adapters.ln_tuning import LN_TUNING
from core.recipe.adapters.lora import LORA
from core.recipe.adapters.miss import MISS
from core.recipe.adapters.oft import OFT
from core.recipe.adapters.p_tuning import P_TUNING
from core.recipe.adapters.prefix import PREFIX
from core.recipe.adapters.prompt import PROMPT
from core.recipe.adapters.reach import Reach
from core.recipe.adapters.shira import SHIRA
from core.recipe.adapters.vera import VERA
from core.recipe.conditions import Condition, one_of

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

__all__ = [
    "ADAPTERS",
    "Adapter",
    "MemoryTerms",
    "PeftConfig",
    "Rates",
    "Reach",
    "adapter_of",
    "base_is_quantized",
    "kinds_with",
    "whole_methods",
    "with_adapter",
    "with_section",
]

ADAPTERS: tuple[Adapter, ...] = (
    LORA,
    FULL,
    LAST_LAYERS,
    BOTTLENECK,
    IA3,
    PREFIX,
    PROMPT,
    P_TUNING,
    MISS,
    OFT,
    BOFT,
    HIRA,
    VERA,
    SHIRA,
    LN_TUNING,
)
"""All kinds, in the order of the form."""

_BY_KIND = {adapter.kind: adapter for adapter in ADAPTERS}


def adapter_of(recipe: Recipe) -> Adapter:
    """The kind that a recipe trains."""
    return _BY_KIND[recipe.method]


def whole_methods() -> Condition:
    """That the method is one that trains the model's own weights."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if adapter.whole))


def with_section(name: str) -> Condition:
    """That the method is one whose settings are in this section."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if adapter.section == name))


def kinds_with(path: str) -> Condition:
    """That the method is one that reads this field."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if adapter.reads(path)))


def with_adapter() -> Condition:
    """That the method is one that adds an adapter to the model."""
    return one_of("method", *(adapter.kind for adapter in ADAPTERS if not adapter.whole))
