"""What is unwise in how a run ends and whom it tells; rules of `core.recipe.rules.validate`."""

from __future__ import annotations

from collections.abc import Iterator

from core.recipe.declare import Problem
from core.recipe.recipe import Recipe


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem of early stopping and of keeping the best."""
    training = recipe.training
    if training.early_stopping and not training.keep_best:
        sentence = (
            f"The run ends {training.early_stopping} evaluations after its best step and saves its last weights: "
            "say yes here to save the best."
        )
        yield Problem("training.keep_best", sentence, "warn")
