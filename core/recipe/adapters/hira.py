"""HiRA: LoRA's update, multiplied with the weight itself."""

from __future__ import annotations

from core.recipe.adapters.tuned_layers import tuned_layers

HIRA = tuned_layers(
    "HiRA",
    "HiRA: LoRA's update multiplied by each weight, which gives it a high rank",
    "HiraConfig",
    lambda recipe: {"r": recipe.adapter.rank},
    lambda recipe, module: recipe.adapter.rank * (module.inputs + module.outputs),
    source="HiRA, ICLR 2025",
    quantized=False,
)
