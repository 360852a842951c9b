"""Pipelines as queued runs.

All folders are made before any of them is queued, and then all are queued at once: whoever asked for it may be killed
at any moment, and there is the whole pipeline or none of it.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.clean import clean_line
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import enqueue
from core.jobs.queue import Queue
from core.jobs.queue_runner import entry_of, update_waiting_runs
from core.recipe.paths import named_after
from core.recipe.recipe import Recipe, put
from core.runs.commands import own_recipe
from core.runs.origin import FIELD, origin_of, started
from core.runs.pipeline import THEN, sources_of
from core.runs.queueing import Wish, check_memory, device_set_of, ensure_runner
from core.runs.start import Prepared, prepare_run


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
    """Lets a run of a pipeline start before the one before it has finished.

    Raises:
        BadInput: it is not queued, waits for no other run, or there are no weights that it could start from.
    """
    recipe = own_recipe(run)
    try:
        origin = origin_of(recipe, workspace)
    except BadInput as error:
        raise BadInput(error.what, where=run.id, do=error.do) from error
    if origin is not None and not origin.there:
        words = f"{origin.name} has saved no weights yet, and this run starts from them"
        raise BadInput(words, where=run.id, do="Let that run finish, or stop and save it")
    Queue(workspace).release(run.id)


def runs_that_need(run: JobFolder) -> list[str]:
    """The IDs of queued runs that start from a run's weights and have no copy of them yet; deleting it holds them."""
    queue = Queue(run.path.parents[1])
    found = []
    try:
        waiting = queue.waiting(queue.read())
    except BadInput:
        return []
    for entry in waiting:
        folder = queue.folder(entry)
        try:
            source = own_recipe(folder).starts_from.partition("/")[0]
        except BadInput:
            continue
        if run.id == entry.after or (source == run.id and started(folder.path) is None):
            found.append(entry.id)
    return found


def need_words(run: JobFolder) -> str:
    """The same as a sentence; "" where no run needs it."""
    needed = runs_that_need(run)
    if not needed:
        return ""
    verb = "starts" if len(needed) == 1 else "start"
    return f"{', '.join(clean_line(name, 60) for name in needed)} in the queue {verb} from it and would be held."
