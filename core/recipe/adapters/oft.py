"""OFT: each layer's inputs are rotated, block by block."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

OFT = tuned_layers(
    "OFT",
    "OFT: rotates each layer's inputs, and keeps the angles between its neurons",
    "OFTConfig",
    lambda recipe: {"oft_block_size": recipe.adapter.block_size},
    lambda recipe, module: module.inputs * (recipe.adapter.block_size - 1) // 2,
    source="OFT, arXiv 2306.07280",
    size="block_size",
)
