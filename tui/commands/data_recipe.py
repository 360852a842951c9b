"""What the commands on curated data have in common: the dataset, its eval set, the split."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from tui.commands.scan import add_encoding_argument, add_eval_arguments, columns_of

if TYPE_CHECKING:
    from core.dataset.view.view import CuratedView
    from core.recipe.recipe import Recipe


def add_data_arguments(parser: argparse.ArgumentParser, *, held_out: str) -> None:
    """Declare the arguments that name the data; `held_out` says what is held out by default."""
    parser.add_argument("data", nargs="*", type=Path, metavar="FILE", help="Data files, or folders of them.")
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="RECIPE.yaml",
        help="Use the dataset, split and filters of this recipe.",
    )
    parser.add_argument(
        "--eval",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="Separate eval file; can be repeated.",
    )
    parser.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="FILE=SHARE",
        help="Mix in another source with its share: general.jsonl=0.1.",
    )
    parser.add_argument(
        "--held-out",
        type=float,
        metavar="FRACTION",
        help=f"Share of rows to hold out as the eval set (default: {held_out}, or the recipe's).",
    )
    parser.add_argument("--stratify", metavar="BY", help="Stratify the split by answer, source or a column.")
    parser.add_argument(
        "--near",
        type=float,
        metavar="SIMILARITY",
        help="Keep rows at least this similar on the same side of the split (default: 0.8; 0 turns it off).",
    )
    parser.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="FLAG",
        help="Also drop rows with this flag, such as near_duplicate.",
    )
    parser.add_argument("--format", default="auto", help="Row format (default: detected from the rows).")
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="Map a field to a column: messages=talk, or b.jsonl:messages=talk for one file of several.",
    )
    add_encoding_argument(parser)
    add_eval_arguments(parser)


def recipe_of(arguments: argparse.Namespace, *, hold_out: bool = True) -> Recipe:
    """The recipe that the arguments describe, with absolute paths.

    Args:
        arguments: of `add_data_arguments`.
        hold_out: whether an eval set is held out as in a new recipe, where neither recipe nor arguments say anything.

    Raises:
        BadInput: no dataset is named, or the recipe cannot be read or its data section has errors.
    """
    from core.dataset.flag_names import flag_name
    from core.recipe.declare import Problem
    from core.recipe.mapped import with_mapping
    from core.recipe.paths import absolute
    from core.recipe.recipe import KNOBS, Recipe, put
    from core.recipe.rules.validate import validate
    from core.recipe.yamlfile import load
    from tui.commands.data_paths import refuse_recipes

    refuse_recipes(arguments.data, option="--recipe")
    if arguments.recipe is not None:
        recipe = load(arguments.recipe)
        recipe = absolute(recipe, arguments.recipe.absolute().parent)
    else:
        recipe = Recipe()
        if not hold_out:
            recipe = replace(recipe, data=replace(recipe.data, eval_fraction=0.0))
    data = recipe.data
    if arguments.data:
        data = replace(data, train=tuple(str(path.absolute()) for path in arguments.data))
    if arguments.eval:
        data = replace(data, eval=tuple(str(path.absolute()) for path in arguments.eval))
    if arguments.mix:
        mix = KNOBS["data.mix"].coerce(arguments.mix)
        if isinstance(mix, Problem):
            raise BadInput(mix.sentence.rstrip("."), where="--mix", do="Write it like --mix other.jsonl=0.1")
        data = put(replace(recipe, data=data), "data.mix", mix).data
    if arguments.held_out is not None:
        data = replace(data, eval_fraction=arguments.held_out)
    if arguments.stratify is not None:
        data = replace(data, stratify=arguments.stratify)
    if arguments.near is not None:
        data = replace(data, split_near=arguments.near)
    if arguments.format != "auto":
        data = replace(data, format=arguments.format)
    if columns := columns_of(arguments.columns, encoding=arguments.encoding):
        # An encoding says nothing of the columns, which stay as the recipe has them.
        named = {} if arguments.columns else data.columns
        data = replace(data, columns={**named, **columns})
    if arguments.eval_format != "auto":
        data = replace(data, eval_format=arguments.eval_format)
    if columns := columns_of(arguments.eval_columns, "--eval-columns"):
        data = replace(data, eval_columns=columns)
    data = replace(data, drop_flags=tuple(dict.fromkeys((*data.drop_flags, *map(flag_name, arguments.drop)))))
    if not data.train:
        raise BadInput("No dataset given", do="Give a file, or a recipe with --recipe")
    recipe = with_mapping(absolute(replace(recipe, data=data), Path.cwd()), Path.cwd())
    for problem in validate(recipe):
        if problem.severity == "error" and problem.path.startswith("data."):
            raise BadInput(problem.sentence.rstrip("."), where=problem.path)
    return recipe


def view_of(recipe: Recipe, progress: Callable[[int, int], None] | None = None) -> CuratedView:
    """The curated view of the recipe's data, with the decisions of the current folder, in which nothing new is left."""
    from core.runs.curate import curate
    from tui.commands.scratch import reading_workspace

    return curate(recipe, reading_workspace(), on_progress=progress)
