"""Write a recipe with every common field, its default and what it does.

The recipe is a YAML file to edit by hand, or in the app with `tunedeck recipe.yaml`. An existing file is never
overwritten.
"""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.nearest import nearest_file
from core.paths import RECIPE_SUFFIXES
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_DEFAULT = "recipe.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="RECIPE.yaml|FILE",
        help=f"The recipe to write (default: {_DEFAULT}), and the data files to train on.",
    )
    parser.add_argument("--model", metavar="MODEL", help="Base model: a Hub model ID (org/name) or a folder.")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="Set a field, such as lora.rank=32."
    )
    parser.add_argument("--all", action="store_true", help="Write the advanced fields too.")
    parser.add_argument("--json", action="store_true", help="Print one object with the recipe's path.")


def run(arguments: argparse.Namespace) -> int:
    """Write the recipe."""
    from core.recipe.starter import starter

    path = _target(arguments.names)
    if os.path.lexists(path):
        raise BadInput("It already exists and was not overwritten", where=str(path), do="Choose another file")
    recipe = _recipe(arguments, path.absolute().parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(recipe, file_name=str(path), advanced=arguments.all))
    except OSError as error:
        raise BadInput(f"The recipe cannot be written: {error.strerror}", where=str(path)) from error
    if arguments.json:
        print_json({"recipe": str(path.absolute())})
        return 0
    missing = [f"model.path={arguments.model or 'MODEL'}"] * (not recipe.model.path)
    missing += ["data.train=FILE"] * (not recipe.data.train)
    quoted = shlex.quote(str(path))
    say(f"Wrote {path}.")
    if missing:
        names = " and ".join(field.partition("=")[0] for field in missing)
        them = "it" if len(missing) == 1 else "them"
        say(f"Still missing: {names}. Set {them} in {path}, or pass {them} to tunedeck train:")
        say(f"  {' '.join(f'--set {field}' for field in missing)}")
    if recipe.model.path and (doubt := _doubt(recipe, path.absolute().parent)):
        say(doubt)
    say(f"Train it:            tunedeck train {quoted}")
    say(f"Edit it in the app:  tunedeck {quoted}")
    return 0


def _target(names: list[str]) -> Path:
    recipes = [name for name in names if Path(name).suffix.lower() in RECIPE_SUFFIXES]
    if len(recipes) > 1:
        raise BadInput(f"Only one recipe can be written, got {', '.join(recipes)}", do="Give just one")
    path = Path(recipes[0] if recipes else _DEFAULT)
    if not path.absolute().parent.is_dir():
        raise BadInput("The folder does not exist", where=str(path.absolute().parent), do="Create it first")
    return path


def _doubt(recipe: Recipe, folder: Path) -> str:
    """A warning about a model that is neither a folder nor `org/name`; "" where there is nothing to doubt."""
    from core.recipe.model_files import NotDownloaded, find
    from core.recipe.paths import absolute

    named = recipe.model.path
    try:
        find(absolute(recipe, folder).model.path, recipe.model.revision)
    except NotDownloaded:
        if "/" in named:
            return ""
        return f"Warning: {named} is not a folder here, and most Hub model IDs look like org/name. Check model.path."
    except BadInput as error:
        return f"Warning: model.path: {error}"
    return ""


def _recipe(arguments: argparse.Namespace, folder: Path) -> Recipe:
    """The new recipe, its paths relative to the folder that it is written to."""
    from core.dataset.files.inside import is_inside
    from core.recipe.command_line import apply_settings
    from core.recipe.paths import absolute, relative
    from core.recipe.recipe import Recipe, put

    data = [name for name in arguments.names if Path(name).suffix.lower() not in RECIPE_SUFFIXES]
    if wrong := next((name for name in data if not Path(name).exists() and not is_inside(Path(name))), None):
        near = nearest_file(Path(wrong))
        do = f"Did you mean `{near}`?" if near else "Give data files and a recipe to write, ending in .yaml"
        raise BadInput("No such file or folder", where=wrong, do=do)
    recipe = apply_settings(Recipe(), arguments.set, Path.cwd())
    if data:
        recipe = put(recipe, "data.train", tuple(data))
    if arguments.model:
        recipe = put(recipe, "model.path", arguments.model)
    return relative(absolute(recipe, Path.cwd()), folder)
