"""Starting a run of the recipe, in a thread; the outcome is a message for the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import TunedeckError
from core.jobs.trust import ConsentRequest, NotAgreed
from core.recipe.paths import named_after
from core.recipe.presets import PILOT
from core.recipe.recipe import Recipe
from core.units import count
from tui.recipe.messages import StartEnded

if TYPE_CHECKING:
    from core.dataset.view.view import CuratedView


def pilot_of(recipe: Recipe) -> Recipe:
    """The recipe of a pilot: a few steps of the same run."""
    name = f"{recipe.name or named_after(recipe.data.train)} pilot"
    return replace(PILOT.apply(recipe), name=name)


def start(
    recipe: Recipe,
    workspace: Path,
    on_progress: Callable[[str], None],
    should_stop: Callable[[], bool],
    agreed: Sequence[ConsentRequest] = (),
    pure_bf16: bool = False,
) -> StartEnded:
    """Read the data and start a detached run.

    Args:
        recipe: what to train, paths absolute.
        workspace: where `runs/` is.
        on_progress: receives the progress of reading the data, a sentence.
        should_stop: whether the user has canceled.
        agreed: what the user has just allowed.
        pure_bf16: whether the user has said yes to pure bfloat16.
    """
    from core.runs.start import start_run

    def begin() -> StartEnded:
        _remember(agreed)
        view_of = _viewer(workspace, on_progress, should_stop)
        if recipe.then:
            return _pipeline(recipe, workspace, view_of, pure_bf16)
        folder = start_run(recipe, workspace, view_of=view_of, pure_bf16=pure_bf16)
        return StartEnded(folder=folder.path)

    return _outcome(begin)


def queue(
    recipe: Recipe,
    workspace: Path,
    on_progress: Callable[[str], None],
    should_stop: Callable[[], bool],
    agreed: Sequence[ConsentRequest] = (),
    pure_bf16: bool = False,
) -> StartEnded:
    """Read the data and put the run at the end of the queue; the arguments are those of `start`."""
    from core.runs.queueing import queue_run

    def begin() -> StartEnded:
        _remember(agreed)
        view_of = _viewer(workspace, on_progress, should_stop)
        if recipe.then:
            return _pipeline(recipe, workspace, view_of, pure_bf16)
        folder = queue_run(recipe, workspace, view_of=view_of, pure_bf16=pure_bf16)
        return StartEnded(f"Queued as {folder.id}. {folder.read_status().message} Press 6 for the runs.")

    return _outcome(begin)


def _pipeline(recipe: Recipe, workspace: Path, view_of: Callable[[Recipe], CuratedView], pure_bf16: bool) -> StartEnded:
    """The recipe and those that run after it, queued; the first starts by itself once its device is free."""
    from core.runs.pipeline import stages_of
    from core.runs.pipeline_queue import queue_pipeline

    runs = queue_pipeline(stages_of(recipe), workspace, view_of=view_of, pure_bf16=pure_bf16)
    return StartEnded(f"Queued a pipeline of {len(runs)} runs. {runs[0].read_status().message} Press 6 for the runs.")


def _remember(agreed: Sequence[ConsentRequest]) -> None:
    for ask in agreed:
        ask.agree()


def _viewer(
    workspace: Path, on_progress: Callable[[str], None], should_stop: Callable[[], bool]
) -> Callable[[Recipe], CuratedView]:
    """Gives the view of a recipe, built by a process of its own where that takes long."""
    from core.jobs.titles import TITLES
    from core.runs.view_job import view_of

    def report(phase: str, done: int, of: int) -> None:
        unit = " rows" if phase == TITLES["core.runs.view_job"] else ""
        far = f": {count(done)} of {count(of)}{unit}" if of else ""
        on_progress(f"{phase[:1].upper()}{phase[1:]}{far}. Press F5 to cancel.")

    return lambda recipe: view_of(recipe, workspace, report, should_stop)


def _outcome(begin: Callable[[], StartEnded]) -> StartEnded:
    from core.dataset.scan.scan import ScanStopped  # numpy and orjson: only where data is read
    from core.runs.precision import NotConfirmed

    try:
        return begin()
    except ScanStopped:
        return StartEnded("Start canceled; nothing was created.")
    except NotAgreed as error:
        return StartEnded(f"Not started: {error}", asks=error.asks)
    except NotConfirmed as error:
        return StartEnded(f"Not started: {error.sentence}", path=error.where, confirm=error.sentence)
    except TunedeckError as error:
        return StartEnded(f"Not started: {error}", path=error.where)
