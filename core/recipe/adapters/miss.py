"""MiSS: one small matrix for each layer, shared by parts of its input."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

MISS = tuned_layers(
    "MiSS",
    "MiSS: one small matrix for each layer; half of LoRA's parameters",
    "MissConfig",
    lambda recipe: {"r": recipe.adapter.rank},
    lambda recipe, module: recipe.adapter.rank * module.outputs,
    source="MiSS, arXiv 2409.15371",
)
