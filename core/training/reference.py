"""The base model beside one that is trained whole, for tasks that measure against it."""

from __future__ import annotations

from typing import Any

from core.engine.load import Hardware, load_base
from core.recipe.recipe import Recipe


def reference(recipe: Recipe, on: Hardware, adapter: Any) -> dict[str, Any]:
    """The model that rewards are measured against, as the argument that TRL's trainers take it by.

    With an adapter none is loaded, for the base is there once the adapter is switched off.
    """
    if adapter is not None:
        return {}
    return {"ref_model": load_base(recipe.model, on)}
