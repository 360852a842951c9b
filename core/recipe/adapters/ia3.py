"""IA3: a trained factor for each output of keys and values, and for each input of the feed-forward output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates
from core.recipe.adapters.tuned_layers import (
    LESS_MEMORY,
    SECTION,
    any_base,
    arguments_of,
    counted,
    reach_from,
    terms_of,
)
from core.recipe.target_names import names_one

if TYPE_CHECKING:
    from core.recipe.model_shape import LinearModule
    from core.recipe.recipe import Recipe

_reach = reach_from("k_proj", "v_proj", "down_proj")


def _is_feedforward(recipe: Recipe, layer: str) -> bool:
    return names_one(layer, recipe.adapter.feedforward)


def _config(recipe: Recipe) -> PeftConfig:
    reach = _reach(recipe)
    return PeftConfig("IA3Config", arguments_of(reach, feedforward_modules=list(recipe.adapter.feedforward)))


def _each(recipe: Recipe, module: LinearModule) -> int:
    return module.inputs if _is_feedforward(recipe, module.name) else module.outputs


IA3 = Adapter(
    kind="ia3",
    meaning="IA3: one trained factor for each key, value and feed-forward feature; tiny, and no slower at inference",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "feedforward", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * _each(recipe, module)),
    over_quantized=any_base,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("ia3",),
    made="IA3 adapter for",
    rates=Rates("IA3", above=10.0, below=0.1, times=20.0),
    less_memory=LESS_MEMORY,
    peft_type="IA3",
    limits="Servers such as vLLM load only LoRA adapters: merge it into unquantized weights to serve it.",
    title="IA3",
    source="arXiv 2205.05638",
    reach=_reach,
    merges=("none",),
)
