"""Pipelines: recipes that run one after the other, each from the weights of the one before, as queued runs.

All folders are made before any of them is queued, and then all are queued at once: whoever asked for it may be killed
at any moment, and there is the whole pipeline or none of it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.clean import clean_line
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import enqueue
from core.jobs.queue import Queue
from core.jobs.queue_runner import entry_of, update_waiting_runs
from core.recipe.declare import Problem
from core.recipe.model_shape import ModelShape, read_shape
from core.recipe.paths import named_after
from core.recipe.recipe import Recipe, put
from core.recipe.yamlfile import load
from core.runs.origin import FIELD, planned_origin, problems
from core.runs.queueing import Wish, check_memory, device_set_of, ensure_runner
from core.runs.start import Prepared, prepare_run

THEN = "then"
FROM_BASE = "base"
"""In a later recipe's `starts_from`: the bare base model, not the run before it."""


def stages_of(recipe: Recipe) -> list[Recipe]:
    """The recipes of a pipeline, that one first; a single one where it names none after it.

    Args:
        recipe: with absolute paths.

    Raises:
        BadInput: one of them cannot be read, or has a `then` of its own.
    """
    found = [recipe]
    for file in recipe.then:
        stage = load(Path(file))
        if stage.then:
            words = f"{Path(file).name} has a `then` of its own"
            raise BadInput(words, where=THEN, do="List all recipes in the first one, in order")
        found.append(stage)
    return found


def sources_of(stages: Sequence[Recipe]) -> list[int | str]:
    """What each recipe of a pipeline starts from: the place of an earlier one, else what its `starts_from` says."""
    names = [stage.name or named_after(stage.data.train) for stage in stages]
    found: list[int | str] = [stages[0].starts_from]
    for place, stage in enumerate(stages[1:], 1):
        wanted = stage.starts_from
        earlier = next((n for n in reversed(range(place)) if names[n] == wanted), None)
        found.append(place - 1 if not wanted else "" if wanted == FROM_BASE else wanted if earlier is None else earlier)
    return found


def pipeline_findings(recipe: Recipe) -> Iterator[Problem]:
    """What keeps the recipes after this one from starting, as far as it can be known before; a note where nothing does.

    Args:
        recipe: with absolute paths; the first of them.
    """
    if not recipe.then:
        return
    try:
        stages = stages_of(recipe)
    except BadInput as error:
        yield Problem(THEN, f"{str(error).rstrip('.')}.")
        return
    sources, fits = sources_of(stages), True
    for place, stage in enumerate(stages[1:], 1):
        source = sources[place]
        if not isinstance(source, int):
            continue
        for problem in problems(stage, planned_origin(stages[source]), _shape(stage)):
            if problem.severity == "error":
                fits = False
                name = clean_line(stage.name or Path(recipe.then[place - 1]).name, 60)
                yield Problem(THEN, f"{name} cannot start from the run before it. {problem.path}: {problem.sentence}")
    if fits:
        names = ", then ".join(clean_line(stage.name or named_after(stage.data.train), 40) for stage in stages)
        yield Problem(THEN, f"Queued as a pipeline of {len(stages)} runs: {names}.", "note")


def _shape(recipe: Recipe) -> ModelShape | None:
    try:
        return read_shape(recipe.model.path, recipe.model.revision) if recipe.model.path else None
    except BadInput:
        return None


def queue_pipeline(
    stages: Sequence[Recipe],
    workspace: Path,
    wish: Wish | None = None,
    *,
    base: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    view_of: Callable[[Recipe], CuratedView] | None = None,
    pure_bf16: bool = False,
) -> list[JobFolder]:
    """Prepares all runs of a pipeline, and queues them: each starts once the one before it has finished.

    Args:
        stages: the recipes, in order; `then` of the first is not looked at.
        workspace: where `runs/` and the queue lie.
        wish: when the first may start; the memory that must be free counts for all.
        base: see `core.runs.start.prepare_run`.
        on_progress: likewise.
        should_stop: likewise.
        view_of: likewise.
        pure_bf16: likewise.

    Returns:
        Their folders, in order.

    Raises:
        BadInput, NotAgreed, NotConfirmed: as at a start, of any of them; nothing is left behind then.
        JobFailed: the queue's runner did not start; the runs are queued nevertheless.
    """
    wish = wish or Wish()
    if wish.free_gib:
        for stage in stages:
            check_memory(stage, wish.free_gib)
    Queue(workspace).read()
    sources, name = sources_of(stages), secrets.token_hex(4)
    made: list[Prepared] = []
    try:
        for place, stage in enumerate(stages):
            source = sources[place]
            start = made[source].folder.id if isinstance(source, int) else source
            try:
                run = prepare_run(
                    put(replace(stage, then=()), FIELD, start),
                    workspace,
                    base=base,
                    on_progress=on_progress,
                    should_stop=should_stop,
                    view_of=view_of,
                    pure_bf16=pure_bf16,
                    later=True,
                    pipeline={"id": name, "stage": place + 1, "of": len(stages)},
                )
            except BadInput as error:
                if place == 0:
                    raise
                title = clean_line(stage.name or named_after(stage.data.train), 60)
                words = f"Recipe {place + 1} of the pipeline ({title}): {error}"
                raise BadInput(words.rstrip("."), where=THEN) from error
            made.append(run)
        for run in made:
            enqueue(run.folder, run.stages, env=run.environment)
    except BaseException:
        for run in made:
            shutil.rmtree(run.folder.path, ignore_errors=True)  # made a moment ago, and in no queue
        raise
    after = ["", *(run.folder.id for run in made)]
    entries = [
        entry_of(
            run.folder,
            device_set_of(run.recipe),
            free_bytes=int(wish.free_gib * 2**30),
            not_before=wish.not_before if place == 0 else 0.0,
            after=after[place],
        )
        for place, run in enumerate(made)
    ]
    Queue(workspace).add(*entries)
    ensure_runner(workspace)
    update_waiting_runs(workspace)
    return [run.folder for run in made]


def release(workspace: Path, run: JobFolder) -> None:
    """Lets a run of a pipeline start although the one before it has not finished.

    Raises:
        BadInput: it is not queued, waits for no other run, or there are no weights that it could start from.
    """
    from core.runs.commands import own_recipe
    from core.runs.origin import origin_of

    recipe = own_recipe(run)
    try:
        origin = origin_of(recipe, workspace)
    except BadInput as error:
        raise BadInput(error.what, where=run.id, do=error.do) from error
    if origin is not None and not origin.there:
        words = f"{origin.name} has saved no weights yet, and this run starts from them"
        raise BadInput(words, where=run.id, do="Let that run finish, or stop and save it")
    Queue(workspace).release(run.id)
