"""Counts the tokens of a dataset for a headless command, into the same cache that the Data screen reads."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, TunedeckError

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.recipe.recipe import Recipe
    from core.runs.token_facts import TokenFacts

_LOOK_EVERY = 0.2
"""Seconds between two looks at the progress."""


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare with what tokens are counted."""
    parser.add_argument(
        "--model", metavar="MODEL", help="Also count tokens with this model's tokenizer and chat template."
    )
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="RECIPE.yaml",
        help="Also count tokens with this recipe's model, chat template and max length.",
    )


def recipe_to_count(arguments: argparse.Namespace) -> Recipe | None:
    """The recipe to count tokens with; None where neither a model nor a recipe is named.

    Raises:
        BadInput: the recipe cannot be read, or names no model.
    """
    from core.recipe.paths import absolute
    from core.recipe.recipe import Recipe
    from core.recipe.yamlfile import load

    if arguments.model is None and arguments.recipe is None:
        return None
    recipe = Recipe()
    if arguments.recipe is not None:
        recipe = absolute(load(arguments.recipe), arguments.recipe.absolute().parent)
    if arguments.model is not None:
        recipe = absolute(replace(recipe, model=replace(recipe.model, path=arguments.model)), Path.cwd())
    if not recipe.model.path:
        raise BadInput("The recipe names no model to count tokens with", where="model.path", do="Add --model")
    return recipe


def count_tokens(
    dataset: Dataset, recipe: Recipe, workspace: Path, on_progress: Callable[[int, int], None]
) -> TokenFacts:
    """The tokens of every row, counted now where they are not known.

    Args:
        dataset: whose rows.
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`, or a temporary one.
        on_progress: told rows done and in all.

    Raises:
        TunedeckError: they cannot be counted, with the reason.
    """
    from core.jobs.folder import JobFolder
    from core.jobs.launch import DATA_PYTHON, clean_environment, worker_command
    from core.runs.token_facts import TokenFacts
    from core.runs.token_job import KIND, payload_of

    payload = payload_of(dataset, recipe, workspace, workspace)
    facts = TokenFacts(Path(payload["cache"]))
    with tempfile.TemporaryDirectory() as made:
        folder = JobFolder.create(Path(made), "tokens", KIND, payload=payload)
        counting = subprocess.Popen(
            worker_command("core.training.measure_job", folder),
            env=clean_environment({"CUDA_VISIBLE_DEVICES": "", DATA_PYTHON: sys.executable}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        with counting:
            try:
                while True:
                    try:
                        said = counting.communicate(timeout=_LOOK_EVERY)[1]
                        break
                    except subprocess.TimeoutExpired:
                        status = folder.read_status()
                        on_progress(status.step or 0, status.of or 0)
            except BaseException:
                counting.terminate()
                raise
        if counting.returncode:
            words = folder.read_status().message or next(iter(said.strip().splitlines()[-1:]), "the worker ended early")
            raise TunedeckError(f"Cannot count the tokens: {words}")
    return facts
