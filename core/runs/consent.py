"""The user's yes to what a recipe runs, asked for at each start: see `core.jobs.trust`."""

from __future__ import annotations

from pathlib import Path

from core.jobs.trust import COMMAND, FILE, ConsentRequest, NotAgreed, refuse_without_yes, start_ask, workspace_ask
from core.recipe.asks import FIELD_OF, asks_of
from core.recipe.recipe import Recipe
from core.runs.at_end import command_of_the_user


def agree_to_typed(recipe: Recipe, path: str) -> None:
    """Takes what the user has just typed for the user's yes; of a file only its name was typed, so it is asked for.

    Args:
        recipe: with it, and with absolute paths.
        path: the field that was typed.
    """
    for ask in asks_of(recipe):
        if FIELD_OF[ask.kind] == path and ask.kind != FILE:
            ask.agree()


def check_start(recipe: Recipe, workspace: Path) -> None:
    """Checks that everything a start in a workspace needs was agreed to; the workspace is known from then on.

    Args:
        recipe: with absolute paths.
        workspace: where `runs/` lies, or will.

    Raises:
        NotAgreed: naming everything that needs a yes first.
        TunedeckError: the user's state folder cannot be written.
    """
    place = start_ask(workspace)
    missing = [ask for ask in asks_of(recipe) if not ask.agreed]
    if place is not None:
        missing.insert(0, place)
    if missing:
        raise NotAgreed(missing)
    workspace_ask(workspace).agree()
    _agree_to_settings()


def check_again(recipe: Recipe) -> None:
    """As `check_start` for a run that is there already, and its user's own.

    Raises:
        NotAgreed: naming everything that needs a yes first.
    """
    refuse_without_yes(asks_of(recipe))
    _agree_to_settings()


def _agree_to_settings() -> None:
    """The user's own command is agreed to by standing in the settings; so it is once they have changed."""
    if command := command_of_the_user():
        ConsentRequest(COMMAND, command).agree()
