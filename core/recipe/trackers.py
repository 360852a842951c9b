"""Trackers of experiments that the trainer reports to: which packages they need, and how they find the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import util
from pathlib import Path

from core.jobs.launch import worker_python
from core.recipe.recipe import Recipe

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
}
"""Each tracker's packages; one of them must be there."""

_PATIENCE = 20.0
_LOOK = (
    "import json, sys; from importlib import util; print(json.dumps([bool(util.find_spec(n)) for n in sys.argv[1:]]))"
)


def missing(recipe: Recipe) -> list[str]:
    """The chosen trackers whose package is not installed where the training runs.

    Another interpreter than this one is asked, which takes a moment, once.
    """
    chosen = [name for name in recipe.reporting.report_to if name in PACKAGES]
    wanted = [package for name in chosen for package in PACKAGES[name]]
    if not wanted:
        return []
    found = dict(zip(wanted, _installed(worker_python(), tuple(wanted)), strict=True))
    return [name for name in chosen if not any(found[package] for package in PACKAGES[name])]


@cache
def _installed(python: str, packages: Sequence[str]) -> list[bool]:
    if python == sys.executable:
        return [util.find_spec(name) is not None for name in packages]
    try:
        asked = subprocess.run(
            [python, "-c", _LOOK, *packages],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=True,
            cwd="/",
        )
        return [bool(found) for found in json.loads(asked.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError):
        return [True] * len(packages)  # the preflight says elsewhere what is wrong with this interpreter


def point_to_run(recipe: Recipe, run: Path) -> None:
    """Sets what the trackers take from variables alone; what the user has set stays.

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
