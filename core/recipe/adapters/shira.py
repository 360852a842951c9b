"""SHiRA: a few weights of each layer, chosen at random, are trained."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

SHIRA = tuned_layers(
    "SHiRA",
    "SHiRA: trains a few weights of each layer, chosen at random",
    "ShiraConfig",
    lambda recipe: {"r": recipe.adapter.rank, "random_seed": recipe.training.seed},
    lambda recipe, module: recipe.adapter.rank * (module.inputs + module.outputs),
    source="SHiRA, arXiv 2406.13175",
    choosable=("targets",),
)
