"""What is wrong or unwise about a recipe's devices and its multi-GPU strategy."""

from __future__ import annotations

from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.devices import Devices, devices_of, is_sharded
from core.recipe.recipe import Recipe


def check(recipe: Recipe) -> tuple[Devices | None, list[Problem]]:
    """The devices (None if they cannot be parsed) and the problems."""
    try:
        devices = devices_of(recipe)
    except BadInput as error:
        return None, [Problem("training.devices", f"{error.what}. {error.do}." if error.do else f"{error.what}.")]
    if not is_sharded(recipe):
        return devices, []
    field = "training.parallel"
    if devices.cpu:
        return devices, [Problem(field, "On CPUs, FSDP silently runs as DDP. Use ddp.")]
    if recipe.model.quantization != "none":
        return devices, [
            Problem(field, "fsdp cannot shard a quantized base model here. Use ddp, or set quantization to none.")
        ]
    if recipe.evaluation.after_training:
        sentence = "The comparison runs on the first device only, so the whole model has to fit there."
        return devices, [Problem("evaluation.after_training", sentence, "note")]
    return devices, []
