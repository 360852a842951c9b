"""Starting a run of the recipe, in a thread: what comes of it as a message for the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.errors import TunedeckError
from core.recipe.presets import PRESETS
from core.recipe.recipe import Recipe
from core.units import count
from tui.screens.recipe_messages import StartEnded


def pilot_of(recipe: Recipe) -> Recipe:
    """The recipe of a pilot: a few steps of the same run."""
    return next(preset for preset in PRESETS if preset.name == "pilot").apply(recipe)


def start(recipe: Recipe, workspace: Path, tell: Callable[[str], None], should_stop: Callable[[], bool]) -> StartEnded:
    """Read the data and start a detached run.

    Args:
        recipe: what to train, paths absolute.
        workspace: where `runs/` lies.
        tell: is told how far reading the data has come, a sentence.
        should_stop: whether the user has thought better of it.
    """
    from core.recipe.start import start_run

    def begin() -> StartEnded:
        folder = start_run(recipe, workspace, on_progress=_progress(tell), should_stop=should_stop)
        return StartEnded(folder=folder.path)

    return _outcome(begin)


def queue(recipe: Recipe, workspace: Path, tell: Callable[[str], None], should_stop: Callable[[], bool]) -> StartEnded:
    """Read the data and put the run at the end of the queue; the arguments are those of `start`."""
    from core.recipe.queueing import queue_run

    def begin() -> StartEnded:
        folder = queue_run(recipe, workspace, on_progress=_progress(tell), should_stop=should_stop)
        return StartEnded(f"Queued as {folder.id}. {folder.read_status().message} 6 shows the runs.")

    return _outcome(begin)


def _progress(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    return lambda read, rows: tell(f"Reading the data: {count(read)} of {count(rows)} rows. F5 cancels.")


def _outcome(begin: Callable[[], StartEnded]) -> StartEnded:
    from core.dataset.scan import Stopped  # numpy and orjson: only where data is read

    try:
        return begin()
    except Stopped:
        return StartEnded("The start was cancelled; nothing is left of it.")
    except TunedeckError as error:
        return StartEnded(f"Not started: {error}", path=error.where)
