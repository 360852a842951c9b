"""VeRA: one random pair of factors for all layers, of which two vectors a layer are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates
from core.recipe.adapters.tuned_layers import (
    LESS_MEMORY,
    SECTION,
    arguments_of,
    counted,
    reach_from,
    terms_of,
    unquantized_only,
)

if TYPE_CHECKING:
    from core.recipe.model_shape import LinearModule
    from core.recipe.recipe import Recipe

_reach = reach_from("all-linear")


def _config(recipe: Recipe) -> PeftConfig:
    return PeftConfig("VeraConfig", arguments_of(_reach(recipe), r=recipe.adapter.rank))


def _each(recipe: Recipe, module: LinearModule) -> int:
    return recipe.adapter.rank + module.outputs


VERA = Adapter(
    kind="vera",
    meaning="VeRA: two trained vectors per layer around random factors that all layers share",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "rank", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * module.inputs),
    over_quantized=unquantized_only("VeRA"),
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("vera",),
    made="VeRA adapter for",
    rates=Rates("VeRA", above=10.0, below=0.1, times=10.0),
    less_memory=LESS_MEMORY,
    peft_type="VERA",
    limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
    title="VeRA",
    source="VeRA, arXiv 2310.11454",
    reach=_reach,
    merges=("none",),
)
