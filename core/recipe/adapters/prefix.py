"""Prefix tuning: trained keys and values before the prompt, in every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters import soft_prompt
from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


def _config(recipe: Recipe) -> PeftConfig:
    soft = recipe.soft_prompt
    arguments = {
        "num_virtual_tokens": soft.tokens,
        "prefix_projection": soft.projection,
        "encoder_hidden_size": soft.encoder_size if soft.projection else None,
        "task_type": "CAUSAL_LM",
    }
    return PeftConfig("PrefixTuningConfig", arguments)


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    soft, wide = recipe.soft_prompt, shape.kv_heads * shape.head_dim
    vectors = 2 * shape.layers * wide
    if not soft.projection:
        return soft.tokens * vectors
    inner = soft.encoder_size
    return soft.tokens * wide + (wide * inner + inner) + (inner * vectors + vectors)


PREFIX = Adapter(
    kind="prefix",
    meaning="prefix tuning: trained keys and values before the prompt, in every layer",
    whole=False,
    section=soft_prompt.SECTION,
    fields=("tokens", "projection", "encoder_size"),
    peft_config=_config,
    parameters=_parameters,
    memory_terms=soft_prompt.terms,
    over_quantized=soft_prompt.over_quantized,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("prefix-tuning",),
    made="Prefix tuning adapter for",
    rates=Rates("prefix tuning", above=10.0, below=0.1, times=20.0),
    less_memory=soft_prompt.LESS_MEMORY,
    peft_type="PREFIX_TUNING",
    limits=soft_prompt.LIMITS,
    title="Prefix tuning",
    source="arXiv 2101.00190",
    exact=False,
    recomputes=False,
)
