"""More epochs after a run has finished: a new run, which resumes from the last checkpoint or starts from the weights.

With the optimizer's state the new run is the old one with more steps: it takes over data, metrics, last checkpoint and
what that was started from, and its learning rate follows the schedule of the longer run. Fresh, it is an ordinary run
that starts from the weights, with a schedule of its own. The old run is not changed and can be deleted afterwards.
"""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import BadInput
from core.jobs import files
from core.jobs.access import refuse_foreign
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.state import standing
from core.jobs.workspaces import remember
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.values import number_text
from core.recipe.yamlfile import save
from core.runs.at_end import at_end_of
from core.runs.checkpoint import QUICKLY, Checkpoint, last_good
from core.runs.commands import KIND, commands_of, own_recipe
from core.runs.consent import check_start
from core.runs.origin import BASE, RESIDUE, START, note_extended, started
from core.runs.start import start_run
from core.units import count


@dataclass(frozen=True, slots=True)
class MoreSteps:
    """How much longer.

    Attributes:
        epochs: passes over the data; 0 where `steps` says it.
        steps: optimizer steps; 0 where `epochs` says it.
        fresh: whether with a new optimizer and a new schedule, from the weights alone.
    """

    epochs: float = 0.0
    steps: int = 0
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class ExtendPlan:
    """How a finished run would be continued.

    Attributes:
        folder: of the finished run.
        recipe: of the new one.
        checkpoint: what it resumes from; None for a fresh start from the weights.
        words: what will happen, with the learning rate; two or three sentences.
    """

    folder: JobFolder
    recipe: Recipe
    checkpoint: Checkpoint | None
    words: str


def plan_extend(folder: JobFolder, more: MoreSteps) -> ExtendPlan:
    """Finds out how a finished run can be continued; changes nothing.

    Raises:
        BadInput: it has not finished, has nothing to continue from, or the amount makes no sense.
    """
    recipe = own_recipe(folder)
    refuse_foreign(folder)
    state = standing(folder).state
    if state != "finished":
        do = "Resume it first: `tunedeck resume`" if state in ("stopped", "failed", "lost") else "Wait until it ends"
        raise BadInput(f"This run has not finished: it is {state}", where=folder.id, do=do)
    if not math.isfinite(more.epochs) or more.epochs < 0 or more.steps < 0 or not (more.epochs or more.steps):
        raise BadInput("Say how much longer: more than 0 epochs or steps", where=folder.id)
    return _fresh(folder, recipe, more) if more.fresh else _resumed(folder, recipe, more)


def _fresh(folder: JobFolder, recipe: Recipe, more: MoreSteps) -> ExtendPlan:
    found = put(put(recipe, "starts_from", folder.id), "starts_how", "continue")
    found = put(put(found, "training.max_steps", more.steps), "data.view", "")
    if more.epochs:
        found = put(found, "training.epochs", more.epochs)
    amount = f"{number_text(more.epochs)} epochs" if more.epochs else f"{count(more.steps)} steps"
    rate = number_text(recipe.training.learning_rate)
    words = (
        f"A new run of {amount} from the weights of {folder.id}, with a new optimizer. The learning rate starts over: "
        f"warmup, then {recipe.training.scheduler} from {rate}. Halve it if the loss jumps."
    )
    return ExtendPlan(folder, found, None, words)


def _resumed(folder: JobFolder, recipe: Recipe, more: MoreSteps) -> ExtendPlan:
    fresh = "Use a fresh start (--fresh): it needs only the saved weights"
    checkpoint, passed = last_good(folder.checkpoints, QUICKLY)
    if checkpoint is None:
        words = passed[0].rstrip(".") if passed else "This run kept no checkpoint, so its optimizer state is lost"
        raise BadInput(words, where=folder.id, do=fresh)
    if checkpoint.step < checkpoint.of and checkpoint.without_gain < max(1, recipe.training.early_stopping):
        words = f"Its last checkpoint is from step {count(checkpoint.step)}, not from its end"
        raise BadInput(words, where=folder.id, do=fresh)
    if not (folder.data / "train.jsonl").is_file():
        raise BadInput("The training data of this run (data/train.jsonl) is missing", where=folder.id, do=fresh)
    per_epoch = max(1, round(checkpoint.step / checkpoint.epoch)) if checkpoint.epoch else 1
    if more.steps or recipe.training.max_steps:
        steps = checkpoint.step + (more.steps or math.ceil(more.epochs * per_epoch))
        found = put(recipe, "training.max_steps", steps)
    else:
        found = put(recipe, "training.epochs", round(checkpoint.epoch) + more.epochs)
        steps = math.ceil(found.training.epochs * per_epoch)
    ended = checkpoint.learning_rate
    now = rate_at(found, checkpoint.step, steps)
    words = (
        f"A new run with the optimizer state of {folder.id}: it resumes at step {count(checkpoint.step)} and ends at "
        f"step {count(steps)}. The learning rate follows the {recipe.training.scheduler} schedule of the longer run"
    )
    if now is not None and ended is not None:
        words += f": {_short(now)} at first, where the finished run ended near {_short(ended)}"
    return ExtendPlan(folder, replace(found, then=()), checkpoint, f"{words}.")


def _short(rate: float) -> str:
    return number_text(float(f"{rate:.3g}"))


def rate_at(recipe: Recipe, step: int, steps: int) -> float | None:
    """The learning rate after so many steps, as transformers computes it; None for schedules with more settings."""
    training = recipe.training
    warmup = math.ceil(steps * training.warmup) if training.warmup < 1 else int(training.warmup)
    done = max(0, step - warmup) / max(1, steps - warmup)
    share = {
        "linear": max(0.0, 1 - done),
        "cosine": max(0.0, 0.5 * (1 + math.cos(math.pi * done))),
        "constant": 1.0,
        "constant_with_warmup": 1.0,
    }.get(training.scheduler)
    if share is None:
        return None
    if step < warmup and training.scheduler != "constant":
        share = step / max(1, warmup)
    return training.learning_rate * share


def extend_run(plan: ExtendPlan) -> JobFolder:
    """Starts the new run; returns when its keeper has taken over.

    Raises:
        BadInput: as at a start; or what it needs cannot be copied. Nothing is left behind.
        NotAgreed: the workspace, or something that the recipe runs, needs the user's yes first.
        JobFailed: the keeper did not start; the run is kept, marked as failed.
    """
    source, workspace = plan.folder, plan.folder.path.parents[1]
    if plan.checkpoint is None:
        return start_run(plan.recipe, workspace)
    check_start(plan.recipe, workspace)
    payload = {
        **source.read_job()["payload"],
        "recipe": to_json(plan.recipe),
        "resume": plan.checkpoint.path.name,
        "at_end": at_end_of(plan.recipe),
    }
    payload.pop("pipeline", None)
    folder = JobFolder.create(source.path.parent, plan.recipe.name or source.id, KIND, payload=payload)
    try:
        for name in ("data", START, BASE):
            _link_tree(source.path / name, folder.path / name)
        _link_tree(plan.checkpoint.path, folder.checkpoints / plan.checkpoint.path.name)
        begun = started(source.path)
        note_extended(folder.path, f"{source.id}, step {plan.checkpoint.step:,}", begun)
        if (source.path / RESIDUE).exists():
            shutil.copyfile(source.path / RESIDUE, folder.path / RESIDUE)
        _copy_metrics(source, folder)
        save(plan.recipe, folder.recipe, portable=False)
    except (OSError, BadInput) as error:
        shutil.rmtree(folder.path, ignore_errors=True)  # made a moment ago, and nothing runs in it
        if isinstance(error, BadInput):
            raise
        words = f"Cannot write the run's folder: {files.reason(error, folder.path)}"
        raise BadInput(words, where=os.fspath(folder.path)) from error
    folder.append_event("resume", plan.words)
    stages, environment = commands_of(folder, plan.recipe)
    launch(folder, stages, env=environment)
    remember(workspace)
    return folder


def _link_tree(source: Path, target: Path) -> None:
    """All files of a folder, by hard links or as copies; nothing where there is no such folder."""
    for where, _, names in os.walk(source):
        inside = target / os.path.relpath(where, source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                os.link(os.path.join(where, name), inside / name)
            except OSError:
                shutil.copyfile(os.path.join(where, name), inside / name)


def _copy_metrics(source: JobFolder, target: JobFolder) -> None:
    """The curves so far: a copy, since the new run adds to it."""
    if source.metrics.is_file():
        shutil.copyfile(source.metrics, target.metrics)
