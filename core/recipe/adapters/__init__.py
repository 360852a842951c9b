"""What a run trains of a model: one row and file for each value of the recipe's `method`. All other code asks the row.

Standard library only: what a kind puts into a model is made in `core.training.configuration`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    "ELSEWHERE",
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

ELSEWHERE: Mapping[str, str] = {
    "qlora": "QLoRA is lora over a quantized base: set the method to lora and model.quantization to nf4.",
    **{name: f"Set the method to lora and lora.variant to {name}." for name in ("dora", "rslora")},
    **{name: f"Set the method to lora and lora.init to {name}." for name in ("pissa", "olora", "eva")},
    **dict.fromkeys(
        ("lora+", "loraplus", "lora_plus"), "LoRA+ is lora with two learning rates: set lora.plus_ratio to 16."
    ),
    **dict.fromkeys(
        ("adapter", "adapters", "houlsby", "adapter_layers"), "Adapter layers are called bottleneck: use that."
    ),
    **dict.fromkeys(("prefix_tuning", "prefix-tuning"), "Set the method to prefix."),
    **dict.fromkeys(("prompt_tuning", "prompt-tuning"), "Set the method to prompt."),
    **dict.fromkeys(("p-tuning", "ptuning", "p_tuning_v1"), "Set the method to p_tuning."),
    **dict.fromkeys(("p-tuning-v2", "ptuning_v2"), "P-tuning v2 is prefix tuning: set the method to prefix."),
    **dict.fromkeys(("freeze", "last_n_layers"), "Set the method to last_layers and last_layers.count to how many."),
    "adalora": "AdaLoRA is not among the methods: use lora with rank patterns (lora.patterns).",
    **dict.fromkeys(("loha", "lokr"), "LoHa and LoKr do not train over 4-bit weights here: use hira or lora."),
}
"""What people call a method that is found elsewhere, in lower case, each with what to set."""

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
