"""BOFT: OFT with small blocks that butterflies join."""

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
    return PeftConfig("BOFTConfig", arguments_of(_reach(recipe), boft_block_size=recipe.adapter.block_size))


def _each(recipe: Recipe, module: LinearModule) -> int:
    return module.inputs * recipe.adapter.block_size + module.outputs


BOFT = Adapter(
    kind="boft",
    meaning="BOFT: OFT with small blocks, and a factor for each output",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "block_size", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * module.inputs),
    over_quantized=any_base,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("boft",),
    made="BOFT adapter for",
    rates=Rates("BOFT", above=10.0, below=0.1),
    less_memory=LESS_MEMORY,
    peft_type="BOFT",
    limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
    title="BOFT",
    source="BOFT, arXiv 2311.06243",
    reach=_reach,
    merges=("none", "nf4", "int8"),
)
