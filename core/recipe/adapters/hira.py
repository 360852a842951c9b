"""HiRA: LoRA's update, multiplied with the weight itself."""

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
    return PeftConfig("HiraConfig", arguments_of(_reach(recipe), r=recipe.adapter.rank))


def _each(recipe: Recipe, module: LinearModule) -> int:
    return recipe.adapter.rank * (module.inputs + module.outputs)


HIRA = Adapter(
    kind="hira",
    meaning="HiRA: LoRA's update multiplied by each weight, which gives it a high rank",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "rank", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * module.inputs),
    over_quantized=unquantized_only("HiRA"),
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("hira",),
    made="HiRA adapter for",
    rates=Rates("HiRA", above=10.0, below=0.1),
    less_memory=LESS_MEMORY,
    peft_type="HIRA",
    limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
    title="HiRA",
    source="HiRA, ICLR 2025",
    reach=_reach,
    merges=("none",),
)
