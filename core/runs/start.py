"""From a recipe to a running job: checks, the curated view, the run's folder, the detached keeper."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.view.view import CuratedView, link_view
from core.errors import BadInput, TunedeckError
from core.gpu.nvml import GpuInventory, read_gpus
from core.gpu.selection import VARIABLE
from core.jobs.files import reason
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.runs import find_run, list_runs
from core.jobs.same_device_runs import same_device_runs
from core.jobs.takeover import notify_unseen_ends
from core.jobs.workspaces import remember
from core.paths import runs_dir
from core.recipe.devices import full_names
from core.recipe.mapped import with_mapping
from core.recipe.model_files import can_be_downloaded
from core.recipe.model_shape import read_shape
from core.recipe.paths import absolute, named_after
from core.recipe.recipe import Recipe, put, to_json, why_without_effect
from core.recipe.rules.validate import without_effect
from core.recipe.sections.rewards import RewardEntry
from core.recipe.yamlfile import save
from core.runs.at_end import at_end_of
from core.runs.commands import KIND, environment_of, stages_of
from core.runs.consent import check_start
from core.runs.curate import curate
from core.runs.origin import keep_origin, origin_of, written
from core.runs.placement import placement_of
from core.runs.precision import PrecisionChoice, choose_precision, precision_elsewhere, with_precision
from core.runs.preflight import preflight, stops
from core.runs.reward_files import keep_reward_files
from core.runs.row_words import refuse_rows

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Ledger


_OF_THIS_MACHINE = ("device", "precision", "hub")
"""Checks that say nothing about another machine."""


def resolve(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with absolute paths, and a name where it has none: that of its first data file.

    Args:
        recipe: as written.
        base: the folder that its relative paths are taken from.
    """
    found = _with_reward_runs(absolute(recipe, base), base)
    return found if found.name else replace(found, name=named_after(found.data.train))


def _with_reward_runs(recipe: Recipe, workspace: Path) -> Recipe:
    """Reward models that are named as runs, as the folders of these."""
    if not recipe.rewards or why_without_effect(recipe, "rewards"):
        return recipe

    def named(reward: RewardEntry) -> RewardEntry:
        if not reward.model or Path(reward.model).is_absolute() or can_be_downloaded(reward.model):
            return reward
        with suppress(BadInput):  # preflight says that there is none
            return replace(reward, model=str(find_run(workspace, reward.model).path.absolute()))
        return reward

    return put(recipe, "rewards", tuple(map(named, recipe.rewards)))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run whose folder is complete, and which nothing has started yet.

    Attributes:
        folder: the run's folder.
        stages: its commands, see `core.jobs.launch.launch`.
        environment: variables for keeper and workers.
        recipe: resolved.
    """

    folder: JobFolder
    stages: list[list[str]]
    environment: dict[str, str]
    recipe: Recipe


def start_run(
    recipe: Recipe,
    workspace: Path,
    *,
    base: Path | None = None,
    name: str | None = None,
    decisions: Ledger | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    view_of: Callable[[Recipe], CuratedView] | None = None,
    pure_bf16: bool = False,
) -> JobFolder:
    """Starts a detached run and returns as soon as its keeper has taken over; the arguments are those of `prepare_run`.

    Raises:
        BadInput: the recipe, the model or the data stops the start; nothing is left behind.
        JobFailed: the keeper did not start; the run is kept, marked as failed.
    """
    run = prepare_run(
        recipe,
        workspace,
        base=base,
        name=name,
        decisions=decisions,
        on_progress=on_progress,
        should_stop=should_stop,
        view_of=view_of,
        pure_bf16=pure_bf16,
    )
    visible = run.environment.get(VARIABLE)
    for name, where in same_device_runs(runs_dir(workspace), visible, read_gpus().gpus, run.folder.id):
        words = (
            f"{name} is also running on {where}; both will be slower. Use the queue to run them one after the other."
        )
        run.folder.append_event("alert", words)
    launch(run.folder, run.stages, env=run.environment)
    notify_unseen_ends(list_runs(workspace))
    return run.folder


def prepare_run(
    recipe: Recipe,
    workspace: Path,
    *,
    base: Path | None = None,
    name: str | None = None,
    decisions: Ledger | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    view_of: Callable[[Recipe], CuratedView] | None = None,
    elsewhere: bool = False,
    pure_bf16: bool = False,
    later: bool = False,
    pipeline: Mapping[str, Any] | None = None,
) -> Prepared:
    """Makes the folder of a run, with all that it needs.

    Reads the data once, which takes seconds, or a minute for a large dataset with a near-duplicate split.

    Args:
        recipe: what to train.
        workspace: the folder that holds `runs/` and `.tunedeck/`.
        base: the folder that relative paths in the recipe are taken from; by default the workspace.
        name: the run's name; by default the recipe's.
        decisions: the user's decisions on rows; by default those of the workspace.
        on_progress: called with rows read and rows in all while the data is read.
        should_stop: asked meanwhile; saying yes raises `core.dataset.scan.scan.ScanStopped`.
        view_of: gives the view of the resolved recipe, where it is not to be built here (`core.runs.view_job`); then
            the three before it are not used.
        elsewhere: whether another machine is to train, so that the devices of this one do not matter.
        pure_bf16: whether the user has said yes to pure bfloat16, see `core.runs.precision`.
        later: whether the run will wait in a queue.
        pipeline: of a run that is a part of one: `id`, `stage` (from 1) and `of`, for `job.json`.

    Raises:
        BadInput: the recipe, the model or the data stops the start; nothing is left behind.
        NotAgreed: the workspace, or something that the recipe runs, needs the user's yes first.
        NotConfirmed: it would train in pure bfloat16, which needs the user's yes.
    """
    if recipe.then:
        words = "This recipe names others to run after it, which makes it a pipeline"
        raise BadInput(words, where="then", do="Queue it, or clear `then`")
    resolved = with_mapping(
        resolve(recipe if name is None else replace(recipe, name=name), base or workspace), workspace
    )
    machine = GpuInventory() if elsewhere else read_gpus()
    warnings = [
        *_check(resolved, workspace, machine, elsewhere, later),
        *(found.sentence for found in without_effect(resolved)),
    ]
    check_start(resolved, workspace)
    choice = _precision(resolved, machine, elsewhere=elsewhere, later=later)
    resolved = with_precision(resolved, choice, pure_bf16=pure_bf16)
    resolved = put(resolved, "training.devices", full_names(resolved, machine.gpus))
    if choice.confirm:
        warnings.append(choice.sentence)
    if view_of is None:
        view = curate(resolved, workspace, decisions=decisions, on_progress=on_progress, should_stop=should_stop)
    else:
        view = view_of(resolved)
    rows = refuse_rows(view, resolved)
    resolved = put(resolved, "data.view", view.fingerprint)
    origin = origin_of(resolved, workspace)
    if origin is not None:
        resolved = put(resolved, "starts_from", written(origin, workspace))
    payload = {
        "recipe": to_json(resolved),
        "samples": {"train": view.train_count, "eval": view.eval_count, "dropped": dict(view.dropped)},
        "at_end": at_end_of(resolved),
        **({} if pipeline is None else {"pipeline": dict(pipeline)}),
    }
    folder = JobFolder.create(runs_dir(workspace), resolved.name, KIND, payload=payload)
    try:
        link_view(view, folder.path)
        keep_reward_files(resolved, folder.path)
        if origin is not None and origin.there:
            keep_origin(origin, folder.path, resolved)
        _stamp_audit(resolved, workspace, view, folder)
        save(resolved, folder.recipe, portable=False)
    except (OSError, TunedeckError) as error:
        shutil.rmtree(folder.path, ignore_errors=True)  # made a moment ago, and nothing runs in it
        if isinstance(error, TunedeckError):
            raise
        words = f"Cannot write the run's folder: {reason(error, folder.path)}"
        raise BadInput(words, where=str(folder.path)) from error
    remember(workspace)
    for warning in [*warnings, *view.manifest["notes"]]:
        folder.append_event("alert", warning)
    for found in rows:
        folder.append_event("alert" if found.verdict == "warn" else "rows", found.sentence)
    return Prepared(
        folder, stages_of(resolved, folder, view.eval_count), environment_of(resolved, machine.gpus), resolved
    )


def _check(recipe: Recipe, workspace: Path, machine: GpuInventory, elsewhere: bool, later: bool) -> list[str]:
    """Refuses what cannot start.

    Returns:
        The sentences of warnings on the data: a run keeps them, for whoever reads its events later.
    """
    checks = preflight(
        recipe, workspace, gpus=machine.gpus, gpu_problem=machine.problem, driver=machine.driver, later=later
    )
    found = [check for check in stops(checks) if not (elsewhere and check.name in _OF_THIS_MACHINE)]
    if found:
        more = (
            ""
            if len(found) == 1
            else "There is 1 more problem"
            if len(found) == 2
            else f"There are {len(found) - 1} more problems"
        )
        raise BadInput(found[0].sentence, where=found[0].path, do=more)
    return [check.sentence for check in checks if check.verdict == "warn" and check.name == "data"]


def _precision(recipe: Recipe, machine: GpuInventory, *, elsewhere: bool, later: bool) -> PrecisionChoice:
    if elsewhere:
        return precision_elsewhere(recipe)
    try:
        shape = read_shape(recipe.model.path, recipe.model.revision)
    except BadInput:
        shape = None  # it is downloaded when the run starts
    place = placement_of(recipe, machine.gpus, machine.driver, problem=machine.problem)
    return choose_precision(recipe, shape, place, later=later)


def _stamp_audit(recipe: Recipe, workspace: Path, view: CuratedView, folder: JobFolder) -> None:
    """Puts the audit's report beside the run's data."""
    from core.dataset.scan.near_searches import last_search
    from core.dataset.view.report import write_report  # orjson: only where data is read
    from core.runs.overview_job import known_tokens
    from core.runs.token_key import data_key, find_facts, recipe_key

    said = view.manifest
    read = data_key([Path(source["path"]) for source in said["sources"]], said["format"], said["columns"])
    found = find_facts(workspace, read, recipe_key(recipe, workspace))
    flags = found.facts.all_flags() if found.standing == "known" and found.facts.complete else None
    sources = known_tokens(workspace, recipe)
    tokens = None if sources is None else [each["tokens"] for each in sources]
    data = recipe.data
    form = None if data.format == "auto" else data.format
    near = last_search(workspace, data.train, form, data.columns, data.eval)
    into = folder.data / "audit.md"
    write_report(workspace, data.train, view.folder, token_flags=flags, near=near, into=into, tokens=tokens)
