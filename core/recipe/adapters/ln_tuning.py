"""LN tuning: the norms of the model are trained, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates
from core.recipe.adapters.tuned_layers import LESS_MEMORY, SECTION, any_base, arguments_of, reach_from, terms_of

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe

_reach = reach_from("input_layernorm", "post_attention_layernorm", "norm", linear=False)


def _config(recipe: Recipe) -> PeftConfig:
    return PeftConfig("LNTuningConfig", arguments_of(_reach(recipe)))


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    return sum(shape.language_modules[name] for name in shape.reached_modules(_reach(recipe)))


LN_TUNING = Adapter(
    kind="ln_tuning",
    meaning="LN tuning: trains the model's norms and nothing else",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "modules_to_save"),
    peft_config=_config,
    parameters=_parameters,
    memory_terms=terms_of(_reach, lambda recipe, module: 0.0),
    over_quantized=any_base,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("ln-tuning",),
    made="LN tuning adapter for",
    rates=Rates("LN tuning", above=10.0, below=0.1, times=10.0),
    less_memory=LESS_MEMORY,
    peft_type="LN_TUNING",
    limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
    title="LN tuning",
    source="LN tuning, arXiv 2312.11420",
    reach=_reach,
    merges=("none", "nf4", "int8"),
)
