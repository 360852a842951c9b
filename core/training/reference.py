"""A second copy of the base model for tasks that compare with it while every weight is trained."""

from __future__ import annotations

from typing import Any

from core.engine.load import Hardware, load_base
from core.recipe.recipe import Recipe


def reference(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    """The model that rewards are measured against, under the argument name of TRL's trainers.

    With an adapter none is loaded, because the base is the model with the adapter switched off.
    """
    if adapter is not None:
        return {}
    return {"ref_model": load_base(recipe.model, on)}
