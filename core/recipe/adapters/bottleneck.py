"""Adapter layers: a small network with a narrow middle after the output of each sublayer. The module is our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates
from core.recipe.adapters.tuned_layers import SECTION, any_base, arguments_of, counted, reach_from, terms_of

if TYPE_CHECKING:
    from core.recipe.model_shape import LinearModule
    from core.recipe.recipe import Recipe

_reach = reach_from("o_proj", "down_proj")


def _config(recipe: Recipe) -> PeftConfig:
    own = recipe.adapter
    arguments = arguments_of(_reach(recipe), width=own.width, activation=own.activation)
    return PeftConfig("BottleneckConfig", arguments, ours=True)


def _each(recipe: Recipe, module: LinearModule) -> int:
    width, out = recipe.adapter.width, module.outputs
    return (width * out + width) + (out * width + out)


BOTTLENECK = Adapter(
    kind="bottleneck",
    meaning="adapter layers: a small network after attention and after the MLP of every layer",
    whole=False,
    section=SECTION,
    fields=("targets", "exclude", "layers", "width", "activation", "modules_to_save"),
    peft_config=_config,
    parameters=counted(_reach, _each),
    memory_terms=terms_of(_reach, lambda recipe, module: 4.0 * module.outputs + 12.0 * recipe.adapter.width),
    over_quantized=any_base,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="tunedeck",
    tags=("adapter-layers",),
    made="Adapter layers for",
    rates=Rates("adapter layers", above=4.0, below=0.1, times=5.0),
    less_memory=("The adapter layers take the most memory. Use a smaller width.", "adapter.width"),
    peft_type="BOTTLENECK",
    limits="Adapter layers cannot be merged into the model, converted to GGUF or served: use them with the code below.",
    title="Adapter layers",
    source="arXiv 1902.00751",
    reach=_reach,
)
