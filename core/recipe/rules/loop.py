"""What is unwise in how a run ends and whom it tells; rules of `core.recipe.rules.validate`."""

from __future__ import annotations

from collections.abc import Iterator

from core.recipe.declare import Problem
from core.recipe.recipe import Recipe


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem of early stopping and of keeping the best."""
    training, data = recipe.training, recipe.data
    if not training.early_stopping and not training.keep_best:
        return
    if not training.eval_every or not (data.eval or data.eval_fraction):
        for path, wanted in (
            ("training.early_stopping", training.early_stopping),
            ("training.keep_best", training.keep_best),
        ):
            if wanted:
                sentence = "Nothing is evaluated, so no step is better than another: this is ignored."
                yield Problem(path, sentence, "warn")
    elif training.early_stopping and not training.keep_best:
        sentence = (
            f"The run ends {training.early_stopping} evaluations after its best step and saves its last weights: "
            "say yes here to save the best."
        )
        yield Problem("training.keep_best", sentence, "warn")
