"""MiSS: one small matrix for each layer, shared by parts of its input."""

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

if TYPE_CHECKING:
    from core.recipe.model_shape import LinearModule
    from core.recipe.recipe import Recipe

_reach = reach_from("all-linear")


def _config(recipe: Recipe) -> PeftConfig:
    return PeftConfig("MissConfig", arguments_of(_reach(recipe), r=recipe.adapter.rank))


def _each(recipe: Recipe, module: LinearModule) -> int:
    return recipe.adapter.rank * module.outputs


MISS = Adapter(
    kind="miss",
    meaning="MiSS: one small matrix for each layer; half of LoRA's parameters",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "rank", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * module.inputs),
    over_quantized=any_base,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("miss",),
    made="MiSS adapter for",
    rates=Rates("MiSS", above=10.0, below=0.1),
    less_memory=LESS_MEMORY,
    peft_type="MISS",
    limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
    title="MiSS",
    source="MiSS, arXiv 2409.15371",
    reach=_reach,
    merges=("none", "nf4", "int8"),
)
