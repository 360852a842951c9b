"""The teacher of a distillation, loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.engine.load import Hardware, load_base
from core.engine.network import check_model_download
from core.recipe.recipe import Recipe
from core.recipe.teacher import teacher_model


def load_teacher(recipe: Recipe, on: Hardware) -> Any:
    """The teacher, frozen, in the type that matrices are multiplied in.

    Raises:
        BadInput: it cannot be had.
    """
    chosen = teacher_model(recipe)
    check_model_download(chosen.path, chosen.revision)
    model = load_base(chosen, replace(on, dtype=on.compute, mixed="no"))
    return model.eval().requires_grad_(False)
