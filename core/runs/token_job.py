"""The derived job that counts the tokens of a dataset under a recipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.jobs.derived import Derived
from core.jobs.launch import DATA_PYTHON, worker_command
from core.recipe.paths import absolute
from core.recipe.recipe import Recipe, to_json
from core.runs.token_key import about, data_key, facts_folder, recipe_key

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

KIND = "measure"


def key_of(dataset: Dataset) -> str:
    """The `data_key` of an open dataset."""
    format, columns = dataset.recognitions.key
    return data_key(dataset.reader.files, format, {**columns, **dataset.read_how})


def payload_of(dataset: Dataset, recipe: Recipe, workspace: Path, base: Path) -> dict[str, Any]:
    """The payload for `core.training.measure_job`.

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
            "format": dataset.chosen.named,
            "columns": dict(dataset.chosen.columns),
            "workspace": str(workspace.absolute()),
            "tasks": None if (tasks := recipe.data.row_tasks) is None else tasks.to_json(),
        },
    }


def job_of(workspace: Path, payload: Mapping[str, Any]) -> Derived:
    """The job that fills the payload's cache in; a second one counts only what is missing there, so it may be started.

    Args:
        workspace: the folder that holds `.tunedeck`.
        payload: see `payload_of`.
    """
    return Derived(
        workspace=workspace,
        name="tokens",
        key=Path(payload["cache"]).name,
        kind=KIND,
        payload=payload,
        stages=lambda folder: [worker_command("core.training.measure_job", folder)],
        env={"CUDA_VISIBLE_DEVICES": "", DATA_PYTHON: sys.executable},
        holds_result=False,
    )
