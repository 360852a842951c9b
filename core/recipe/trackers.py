"""Trackers of experiments that the trainer reports to: which packages they need, and how they find the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from core.recipe.recipe import Recipe
from core.recipe.worker_packages import installed

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
}
"""Each tracker's packages; one of them must be there."""


def missing(recipe: Recipe) -> list[str]:
    """The chosen trackers whose package is not installed where the training runs.

    Another interpreter than this one is asked, which takes a moment, once.
    """
    chosen = [name for name in recipe.reporting.report_to if name in PACKAGES]
    wanted = [package for name in chosen for package in PACKAGES[name]]
    if not wanted:
        return []
    found = dict(zip(wanted, installed(wanted), strict=True))
    return [name for name in chosen if not any(found[package] for package in PACKAGES[name])]


def point_to_run(recipe: Recipe, run: Path) -> None:
    """Sets what the trackers read from environment variables; variables that the user has set win.

    Args:
        recipe: for the project.
        run: the run's folder, which gets what they write.
    """
    for name, value in {
        "TENSORBOARD_LOGGING_DIR": os.fspath(run / "tensorboard"),
        "WANDB_DIR": os.fspath(run),
        "WANDB_PROJECT": recipe.reporting.project,
        "MLFLOW_EXPERIMENT_NAME": recipe.reporting.project,
    }.items():
        os.environ.setdefault(name, value)
