"""The job that counts the tokens of a data set under a recipe: found where it runs, else started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.jobs.folder import JobFolder
from core.jobs.launch import DATA_PYTHON, launch, worker_command
from core.jobs.state import standing
from core.paths import hidden_dir
from core.recipe.paths import absolute
from core.recipe.recipe import Recipe, to_json
from core.runs.token_key import about, data_key, facts_folder, recipe_key

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

KIND = "measure"


def key_of(dataset: Dataset) -> str:
    """The `data_key` of a data set that is open."""
    return data_key(dataset.reader.files, dataset.recognition.name, dataset.recognition.columns)


def payload_of(dataset: Dataset, recipe: Recipe, workspace: Path, base: Path) -> dict[str, Any]:
    """What `core.training.measure_job` is told.

    Args:
        dataset: whose rows are counted.
        recipe: with whose tokenizer, template and max length.
        workspace: the folder that holds `.tunedeck`: the cache and the edits are there.
        base: the folder that relative paths in the recipe are taken from.
    """
    paths = [str(path.absolute()) for path in dataset.paths]
    return {
        "recipe": to_json(absolute(recipe, base)),
        "cache": str(facts_folder(workspace, key_of(dataset), recipe_key(recipe, base)).absolute()),
        "about": about(recipe, base, dataset.paths),
        "question": {
            "paths": paths,
            "format": dataset.recognition.name,
            "columns": dict(dataset.recognition.columns),
            "workspace": str(workspace.absolute()),
        },
    }


def find_running(workspace: Path, cache: Path) -> JobFolder | None:
    """The job that fills a cache in now, or None."""
    for path in sorted(_jobs(workspace).glob(f"*-{_name(cache)}*"), reverse=True):
        if not standing(JobFolder(path)).over:
            return JobFolder(path)
    return None


def find_or_start(workspace: Path, payload: Mapping[str, Any]) -> JobFolder:
    """The job that fills the payload's cache in, started where none runs. Blocks for some 0.2 s.

    Raises:
        TunedeckError: it cannot be started, with the reason.
    """
    cache = Path(payload["cache"])
    running = find_running(workspace, cache)
    if running is not None:
        return running
    folder = JobFolder.create(_jobs(workspace), _name(cache), KIND, payload=dict(payload))
    env = {"CUDA_VISIBLE_DEVICES": "", DATA_PYTHON: sys.executable}
    launch(folder, [worker_command("core.training.measure_job", folder)], env=env)
    return folder


def _jobs(workspace: Path) -> Path:
    return hidden_dir(workspace) / "jobs"


def _name(cache: Path) -> str:
    return f"tokens-{cache.name}"
