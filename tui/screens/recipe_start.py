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
    from core.dataset.scan import Stopped  # numpy and orjson: only where data is read
    from core.recipe.start import start_run

    def progress(read: int, rows: int) -> None:
        tell(f"Reading the data: {count(read)} of {count(rows)} rows. F5 cancels.")

    try:
        folder = start_run(recipe, workspace, on_progress=progress, should_stop=should_stop)
    except Stopped:
        return StartEnded("The start was cancelled; nothing is left of it.")
    except TunedeckError as error:
        return StartEnded(f"Not started: {error}", path=error.where)
    return StartEnded(folder=folder.path)
