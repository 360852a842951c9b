"""The training worker of supervised runs that are judged by their token accuracy: `accuracy_training FOLDER`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.recipe.tasks import SFT, TASKS, Headline
from core.training import run

ACCURACY = Headline("mean_token_accuracy", "eval_mean_token_accuracy", "higher", "token accuracy", "", per_token=False)


def main(argv: Sequence[str]) -> int:
    """Trains."""
    TASKS[SFT.name] = replace(SFT, headline=ACCURACY)  # type: ignore[index]
    return run.main(argv)
