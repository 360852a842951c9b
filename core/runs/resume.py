"""Resuming a run that has ended: from its last good checkpoint, else from step 0, in the same folder."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from core.errors import BadInput
from core.jobs.access import refuse_foreign
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.jobs.takeover import notify_unseen_ends
from core.jobs.trust import refuse_run
from core.jobs.workspaces import remember
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.yamlfile import save
from core.runs.at_end import at_end_of
from core.runs.checkpoint import FROM_THE_START, QUICKLY, Checkpoint, last_good, refuse_misfits, where_it_stands
from core.runs.commands import commands_of, own_recipe
from core.runs.consent import check_again
from core.runs.reward_files import with_kept_files


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """How a run would be resumed.

    Attributes:
        folder: the run's folder.
        checkpoint: what it resumes from; None where it ended before its first one, and starts again from step 0.
        recipe: what it resumes with.
        passed: sentences on newer checkpoints that are incomplete.
    """

    folder: JobFolder
    checkpoint: Checkpoint | None
    recipe: Recipe
    passed: tuple[str, ...]

    @property
    def step(self) -> int:
        """The step that it resumes from."""
        return 0 if self.checkpoint is None else self.checkpoint.step

    @property
    def where(self) -> str:
        """What it resumes from, as the end of a sentence."""
        return "step 0 (no checkpoint yet)" if self.checkpoint is None else where_it_stands(self.checkpoint)


def plan_resume(folder: JobFolder, recipe: Recipe | None = None) -> ResumePlan:
    """Finds out how a run can be resumed; changes nothing.

    Args:
        folder: the run's folder.
        recipe: another recipe than the run's own; only what does not change the training may differ.

    Raises:
        BadInput: the run is another user's, active or finished, has only incomplete or damaged checkpoints, or does not
            fit the recipe.
    """
    now = standing(folder)
    refuse_foreign(folder)
    if not now.over:
        raise BadInput(f"This run has not ended; it is {now.state}", where=folder.id)
    if now.state == "finished":
        raise BadInput(
            "This run is finished; there is nothing to resume",
            where=folder.id,
            do=f"To train longer: tunedeck extend {folder.id}",
        )
    own = own_recipe(folder)
    checkpoint, passed = last_good(folder.checkpoints, QUICKLY)
    again = f"Start it again from the beginning: tunedeck train {shlex.quote(os.fspath(folder.recipe))}"
    if checkpoint is None and passed:
        raise BadInput(passed[0].rstrip("."), where=folder.id, do=again)
    if not (folder.data / "train.jsonl").is_file():
        raise BadInput("The training data of this run (data/train.jsonl) is missing", where=folder.id, do=again)
    chosen = own if recipe is None else put(recipe, "data.view", own.data.view)
    if checkpoint is not None:
        refuse_misfits(checkpoint, chosen)
    return ResumePlan(folder, checkpoint, chosen, tuple(passed))


def resume_run(folder: JobFolder, plan: ResumePlan) -> None:
    """Starts the run's stages again; returns when the keeper has taken over.

    Args:
        folder: the run's folder.
        plan: of `plan_resume`.

    Raises:
        BadInput: another program has started it in the meantime, or the run is another user's.
        NotAgreed: the workspace, or something that the recipe runs, needs the user's yes first.
        JobFailed: the keeper did not start.
        DiskFull, JobGone: the folder cannot be written to.
    """
    refuse_run(folder)
    check_again(with_kept_files(plan.recipe, folder.path))
    job = folder.read_job()
    payload = {
        **job["payload"],
        "recipe": to_json(plan.recipe),
    }
    payload["resume"] = FROM_THE_START if plan.checkpoint is None else plan.checkpoint.path.name
    payload["at_end"] = at_end_of(plan.recipe)
    if plan.recipe != own_recipe(folder):
        save(plan.recipe, folder.recipe, portable=False)
    stages, environment = commands_of(folder, plan.recipe)
    launch(folder, stages, env=environment, payload=payload)
    remember(folder.path.parents[1])
    notify_unseen_ends(list_runs(folder.path.parents[1]))
