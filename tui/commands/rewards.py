"""Test the rewards of a recipe on ten samples of its dataset, before a run.

Shows what each reward gives to the data's own answers and to an empty one, and which rewards are constant.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tui.commands.arguments import add_set_argument, add_workspace_argument
from tui.commands.exit_codes import EXIT_FAILED, EXIT_OK
from tui.commands.output import print_json, say
from tui.commands.trust import add_allow_arguments, take_allowed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="Recipe whose rewards to test.")
    add_set_argument(parser)
    add_allow_arguments(parser)
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="Print one JSON object with all scores.")


def run(arguments: argparse.Namespace) -> int:
    """Print the scores; 1 where a reward fails or teaches nothing."""
    from core.jobs.trust import refuse_without_yes
    from core.recipe.asks import asks_of
    from core.recipe.command_line import apply_settings
    from core.recipe.yamlfile import load
    from core.runs.reward_trial import trial_lines, try_rewards
    from core.runs.start import resolve

    workspace = arguments.workspace.resolve()
    recipe = resolve(apply_settings(load(arguments.recipe), arguments.set, Path.cwd()), workspace)
    take_allowed(arguments, recipe)
    refuse_without_yes(asks_of(recipe))
    trial = try_rewards(recipe, workspace)
    if arguments.json:
        print_json(trial.to_json())
    else:
        for line in trial_lines(trial, shutil.get_terminal_size().columns):
            say(line)
    return EXIT_FAILED if trial.problems else EXIT_OK
