"""Trust a workspace that is shared or was copied, or what a recipe runs as you."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import BadInput
from core.jobs.trust import CODE, COMMAND, FILE, workspace_ask
from core.recipe.recipe import Recipe
from tui.commands.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("path", type=Path, metavar="FOLDER|RECIPE", help="A workspace folder, or a recipe.")


def add_allow_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--allow-command`, `--allow-code` and `--allow-file`."""
    parser.add_argument(
        f"--allow-{COMMAND}", action="store_true", help="Allow the recipe's own command (reporting.at_end) from now on."
    )
    parser.add_argument(
        f"--allow-{CODE}", action="store_true", help="Allow the Python code of the recipe's model from now on."
    )
    parser.add_argument(
        f"--allow-{FILE}",
        action="store_true",
        help="Allow the recipe's Python reward files in their current form from now on.",
    )


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--pure-bf16`."""
    parser.add_argument(
        "--pure-bf16",
        action="store_true",
        help="With method full: accept pure bfloat16 if float32 weights do not fit.",
    )


def take_allowed(arguments: argparse.Namespace, recipe: Recipe) -> None:
    """Remember what the command line allows: with `--allow-...`, or by typing the field itself with `--set`.

    Args:
        arguments: of a command with `add_allow_arguments`.
        recipe: with absolute paths.
    """
    from core.recipe.asks import asks_of
    from core.runs.consent import agree_to_typed

    for setting in getattr(arguments, "set", None) or ():
        agree_to_typed(recipe, setting.partition("=")[0].strip())
    for ask in asks_of(recipe):
        if vars(arguments)[f"allow_{ask.kind}"]:
            ask.agree()


def run(arguments: argparse.Namespace) -> int:
    """Remember it, and say what was allowed."""
    from core.recipe.asks import asks_of
    from core.recipe.yamlfile import load
    from core.runs.start import resolve

    path: Path = arguments.path.absolute()
    if path.is_dir():
        asks = [workspace_ask(path)]
    elif path.exists():
        asks = asks_of(resolve(load(path), path.parent))
    else:
        raise BadInput("No such file or folder", where=str(path), do="Give a workspace or a recipe")
    for ask in asks:
        ask.agree()
        say(f"Allowed: {f'{ask.name}, SHA-256 ' if ask.name else ''}{ask.text}")
    if not asks:
        say("This recipe runs no command, no model code and no reward file: nothing to allow.")
    return 0
