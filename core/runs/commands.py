"""The commands of a run, made from its recipe: at its start, and again when it is resumed or the queue starts it.

Nothing that a file says of commands counts. Standard library only: the queue's runner is small and lives for days.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import BadInput
from core.gpu.nvml import read_gpus
from core.gpu.readings import GpuSample
from core.gpu.selection import VARIABLE
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, worker_command, worker_python
from core.recipe.devices import devices_of, run_devices
from core.recipe.recipe import Recipe, from_json

KIND = "training"
"""The kind of a run's job."""


def stages_of(recipe: Recipe, folder: JobFolder, eval_samples: int) -> list[list[str]]:
    """The commands of a run: training, and the comparison where it is wanted and there is something held out."""
    stages = [training_command(recipe, folder)]
    if recipe.evaluation.after_training and eval_samples:
        stages.append(worker_command("core.evaluation", folder))
    return stages


def training_command(recipe: Recipe, folder: JobFolder, nodes: int = 1) -> list[str]:
    """The command that trains: one process, or torchrun with one for each device, on each of several machines."""
    ranks = devices_of(recipe).ranks
    command = worker_command("core.training", folder)
    return command if ranks == nodes == 1 else [command[0], "-m", "core.engine.torchrun", str(ranks), *command[1:]]


def environment_of(recipe: Recipe, gpus: Sequence[GpuSample]) -> dict[str, str]:
    """Which GPUs keeper and workers see; the keeper reads off those.

    Args:
        recipe: the recipe.
        gpus: all devices of this machine; where none can be read, workers see what the environment shows them.
    """
    visible = run_devices(recipe, gpus).visible
    return {} if visible is None else {VARIABLE: visible}


def script_command(recipe: Path, rows: Path) -> tuple[list[str], dict[str, str]]:
    """The command that prints the plain TRL script of a recipe, and its environment.

    Args:
        recipe: a file with it as JSON.
        rows: the folder of its curated view.
    """
    return [worker_python(), "-m", "core.training.script", os.fspath(recipe), os.fspath(rows)], clean_environment({})


def own_recipe(folder: JobFolder) -> Recipe:
    """The resolved recipe of a run.

    Raises:
        BadInput: it is no training run, or its recipe cannot be read.
    """
    job = folder.read_job()
    payload = job.get("payload")
    recipe = payload.get("recipe") if isinstance(payload, dict) else None
    if job.get("kind") != KIND or not isinstance(recipe, dict):
        raise BadInput("Not a training run: its job.json has no recipe", where=folder.id)
    return from_json(recipe)


def commands_of(folder: JobFolder, recipe: Recipe | None = None) -> tuple[list[list[str]], dict[str, str]]:
    """Stages and environment of a run that lies in its folder, for `core.jobs.launch.launch`.

    Args:
        folder: the run's folder.
        recipe: by default its own.

    Raises:
        BadInput: as `own_recipe`.
    """
    recipe = own_recipe(folder) if recipe is None else recipe
    held_out = folder.data / "eval.jsonl"
    stages = stages_of(recipe, folder, held_out.stat().st_size if held_out.exists() else 0)
    return stages, environment_of(recipe, read_gpus().gpus)
