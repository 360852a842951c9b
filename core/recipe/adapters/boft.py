"""BOFT: OFT with small blocks that butterflies join."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

BOFT = tuned_layers(
    "BOFT",
    "BOFT: OFT with small blocks, and a factor for each output",
    "BOFTConfig",
    lambda recipe: {"boft_block_size": recipe.adapter.block_size},
    lambda recipe, module: module.inputs * recipe.adapter.block_size + module.outputs,
    source="BOFT, arXiv 2311.06243",
    size="block_size",
)
