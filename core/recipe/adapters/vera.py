"""VeRA: one random pair of factors for all layers, of which two vectors a layer are trained."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

VERA = tuned_layers(
    "VeRA",
    "VeRA: two trained vectors per layer around random factors that all layers share",
    "VeraConfig",
    lambda recipe: {"r": recipe.adapter.rank},
    lambda recipe, module: recipe.adapter.rank + module.outputs,
    source="VeRA, arXiv 2310.11454",
    quantized=False,
    times=10.0,
)
