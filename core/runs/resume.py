"""Going on with a run that has ended: from its last good checkpoint, in the same folder."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.state import standing
from core.runs.at_end import at_end_of
from core.runs.checkpoint import Checkpoint, last_good, refuse_misfits
from core.recipe.recipe import Recipe, from_json, put, to_json
from core.runs.start import environment_of, stages_of
from core.recipe.yamlfile import save


@dataclass(frozen=True, slots=True)
class Plan:
    """What going on means.

    Attributes:
        checkpoint: what it goes on from.
        recipe: what it goes on with.
        passed: sentences on newer checkpoints that are not whole.
    """

    checkpoint: Checkpoint
    recipe: Recipe
    passed: tuple[str, ...]


def plan_resume(folder: JobFolder, recipe: Recipe | None = None) -> Plan:
    """Finds out how a run can go on; changes nothing.

    Args:
        folder: the run's folder.
        recipe: another recipe than the run's own; only what does not change the training may differ.

    Raises:
        BadInput: the run goes on already, is finished, has no whole checkpoint, or the recipe does not fit it.
    """
    now = standing(folder)
    if not now.over:
        raise BadInput(f"This run has not ended: it is {now.state}", where=folder.id)
    if now.state == "finished":
        raise BadInput("This run is finished: there is nothing to go on with", where=folder.id)
    own = _own_recipe(folder)
    checkpoint, passed = last_good(folder.checkpoints)
    anew = f"Start it again from the beginning: tunedeck train {shlex.quote(os.fspath(folder.recipe))}"
    if checkpoint is None:
        words = passed[0] if passed else "This run has no checkpoint to go on from"
        raise BadInput(words, where=folder.id, do=anew)
    if not (folder.data / "train.jsonl").is_file():
        raise BadInput("The data of this run is gone, data/train.jsonl in its folder", where=folder.id, do=anew)
    chosen = own if recipe is None else put(recipe, "data.view", own.data.view)
    refuse_misfits(checkpoint, chosen)
    return Plan(checkpoint, chosen, tuple(passed))


def resume_run(folder: JobFolder, plan: Plan) -> None:
    """Starts the run's stages again; returns when the keeper has taken over.

    Args:
        folder: the run's folder.
        plan: of `plan_resume`.

    Raises:
        BadInput: somebody else has started it meanwhile.
        JobFailed: the keeper did not start.
        DiskFull, JobGone: the folder cannot be written to.
    """
    job = folder.read_job()
    payload = {**job["payload"], "recipe": to_json(plan.recipe), "resume": plan.checkpoint.path.name}
    payload["at_end"] = at_end_of(plan.recipe)
    if plan.recipe != _own_recipe(folder):
        save(plan.recipe, folder.recipe, portable=False)
    held_out = folder.data / "eval.jsonl"
    stages = stages_of(plan.recipe, folder, held_out.stat().st_size if held_out.exists() else 0)
    launch(folder, stages, env=environment_of(plan.recipe), payload=payload)


def _own_recipe(folder: JobFolder) -> Recipe:
    payload = folder.read_job().get("payload")
    recipe = payload.get("recipe") if isinstance(payload, dict) else None
    if not isinstance(recipe, dict):
        raise BadInput("This is not a training run: its job.json has no recipe", where=folder.id)
    return from_json(recipe)
