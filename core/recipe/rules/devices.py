"""What is wrong or unwise in a recipe's devices, and in how several of them share the work."""

from __future__ import annotations

from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.devices import Devices, devices_of, is_sharded
from core.recipe.recipe import Recipe


def check(recipe: Recipe) -> tuple[Devices | None, list[Problem]]:
    """The devices, None where the recipe names nothing that can be read, and the problems."""
    try:
        devices = devices_of(recipe)
    except BadInput as error:
        return None, [Problem("training.devices", f"{error.what}: {error.do}." if error.do else f"{error.what}.")]
    if not is_sharded(recipe):
        return devices, []
    field = "training.parallel"
    if devices.cpu:
        return devices, [Problem(field, "On CPUs FSDP silently stays DDP: take ddp.")]
    if recipe.model.quantization != "none":
        return devices, [Problem(field, "A quantized base is not shared out here: take ddp, or quantization none.")]
    if recipe.evaluation.after_training:
        sentence = "The comparison computes on the first device alone: the whole model must fit there."
        return devices, [Problem("evaluation.after_training", sentence, "note")]
    return devices, []
