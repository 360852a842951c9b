"""What is unwise about how a run ends; rules of `core.recipe.rules.validate`."""

from __future__ import annotations

from collections.abc import Iterator

from core.recipe.declare import Problem
from core.recipe.recipe import Recipe


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem with early stopping and keeping the best weights."""
    training = recipe.training
    if training.early_stopping and not training.keep_best:
        sentence = (
            f"Early stopping stops {training.early_stopping} evaluations after the best step but saves the last "
            "weights. "
            "Set this to yes to save the best."
        )
        yield Problem("training.keep_best", sentence, "warn")
