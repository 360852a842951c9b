"""Print the plain TRL script that trains what a recipe trains: torch, transformers, trl, peft, datasets, nothing else.

Its arguments are the ones a run is given, and its losses are those of the run. What it cannot express is at its top.
It reads the curated rows from the workspace, or from the folder of --rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from tui.commands.arguments import add_set_argument, add_workspace_argument
from tui.commands.output import print_json, say
from tui.commands.scan import add_eval_arguments, eval_settings

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="Recipe to print as a script.")
    add_set_argument(parser)
    add_eval_arguments(parser)
    parser.add_argument(
        "--rows", type=Path, metavar="FOLDER", help="Write the rows to this new folder, to take along with the script."
    )
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="Print one JSON object: script, rows.")


def run(arguments: argparse.Namespace) -> int:
    """Curate the rows, and print the script."""
    from core.recipe.command_line import apply_settings
    from core.recipe.mapped import with_mapping
    from core.recipe.recipe import to_json
    from core.recipe.yamlfile import load
    from core.runs.commands import script_command
    from core.runs.curate import curate
    from core.runs.start import resolve

    workspace = arguments.workspace.resolve()
    recipe = apply_settings(load(arguments.recipe), [*arguments.set, *eval_settings(arguments)], Path.cwd())
    recipe = with_mapping(resolve(recipe, workspace), workspace)
    refuse(recipe)
    rows = curate(recipe, workspace).folder
    if arguments.rows is not None:
        rows = _copied(rows, arguments.rows)
    with tempfile.TemporaryDirectory() as made:
        file = Path(made, "recipe.json")
        file.write_text(json.dumps(to_json(recipe)), encoding="utf-8")
        command, environment = script_command(file, rows)
        done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        words = clean_line(next(iter(done.stderr.strip().splitlines()[-1:]), "the process ended early"), 1_000)
        raise BadInput(words.rstrip(".")) if done.returncode == 2 else TunedeckError(words.rstrip("."))
    if arguments.json:
        print_json({"script": done.stdout, "rows": str(rows)})
    else:
        say(done.stdout.rstrip("\n"))
    return 0


def refuse(recipe: Recipe) -> None:
    """Refuses what no run would start with.

    Raises:
        BadInput: the first problem, with its field.
    """
    from core.recipe.model_shape import read_shape
    from core.recipe.rules.validate import validate

    shape = read_shape(recipe.model.path, recipe.model.revision) if recipe.model.path else None
    wrong = next((each for each in validate(recipe, shape) if each.severity == "error"), None)
    if wrong is not None:
        raise BadInput(wrong.sentence.rstrip("."), where=wrong.path)


def _copied(rows: Path, wanted: Path) -> Path:
    """The folder of the user's, with the rows in it."""
    target = wanted.absolute()
    try:
        target.mkdir(parents=True)
        for part in ("train.jsonl", "eval.jsonl", "manifest.json"):
            if (rows / part).exists():
                shutil.copyfile(rows / part, target / part)
    except FileExistsError as error:
        words = "It already exists and was not overwritten"
        raise BadInput(words, where=str(wanted), do="Choose another folder with --rows") from error
    except OSError as error:
        raise BadInput(f"Cannot write the rows: {error.strerror}", where=str(wanted)) from error
    return target
