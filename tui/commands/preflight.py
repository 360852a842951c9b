"""Run the checks of the Recipe screen on a recipe, without starting anything.

Each line is ok, warn or stop. The exit code is 2 if a check blocks the run.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from tui.commands.arguments import add_set_argument, add_workspace_argument
from tui.commands.exit_codes import EXIT_BAD_INPUT, EXIT_OK
from tui.commands.output import complain, print_json, say
from tui.commands.scan import add_eval_arguments, eval_settings
from tui.commands.scratch import reading_workspace

if TYPE_CHECKING:
    from core.dataset.view.view import CuratedView
    from core.recipe.recipe import Recipe
    from core.runs.preflight import PreflightCheck

_MARKS = {"ok": "ok   ", "warn": "warn ", "stop": "STOP ", "wait": "wait "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="Recipe to check.")
    add_set_argument(parser)
    add_eval_arguments(parser)
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="Print one JSON object with all lines.")


def run(arguments: argparse.Namespace) -> int:
    """Print the checks; 2 where one of them stops the run."""
    from core.recipe.command_line import apply_settings
    from core.recipe.yamlfile import load
    from core.runs.preflight import stops

    try:
        arguments.set = [*arguments.set, *eval_settings(arguments)]
        recipe = apply_settings(load(arguments.recipe), arguments.set, Path.cwd())
    except BadInput as error:
        if not arguments.json:
            raise
        print_json({"lines": [check.to_json() for check in _unread(arguments.recipe, error)]})
        return complain(error, EXIT_BAD_INPUT)
    _, checks = check_recipe(recipe, arguments.workspace.resolve())
    refused = stops(checks)
    if arguments.json:
        print_json({"lines": [check.to_json() for check in checks]})
    else:
        say_checks(checks)
        say(stopped_words(refused) if refused else "Nothing blocks this run.")
    return EXIT_BAD_INPUT if refused else EXIT_OK


def _unread(file: Path, error: BadInput) -> list[PreflightCheck]:
    """All that is wrong with a recipe that cannot be read; else the error itself, which names a `--set`."""
    from core.recipe.recipe import KNOBS
    from core.recipe.yamlfile import check
    from core.runs.preflight import PreflightCheck

    try:
        _, problems = check(file.read_text(encoding="utf-8-sig")) if ", line " in error.where else (None, [])
    except (OSError, ValueError):
        problems = []
    found = [
        PreflightCheck(
            "recipe",
            "stop",
            f"{clean_line(str(file))}{f', line {line}' if line else ''}: {problem.sentence}",
            problem.path if problem.path in KNOBS else "",
        )
        for line, problem in problems
        if problem.severity != "note"
    ]
    field = error.where.removeprefix("--set ")
    return found or [PreflightCheck("recipe", "stop", str(error), field if field in KNOBS else "")]


def check_recipe(recipe: Recipe, workspace: Path) -> tuple[Recipe, list[PreflightCheck]]:
    """The resolved recipe, and every check that a start would make of it.

    Args:
        recipe: as loaded.
        workspace: the folder for `runs/`.
    """
    from core.gpu.nvml import read_gpus
    from core.recipe.mapped import with_mapping
    from core.runs.curate import curate
    from core.runs.preflight import PreflightCheck, preflight, stops
    from core.runs.preflight.table import LINES
    from core.runs.row_words import row_findings
    from core.runs.start import resolve

    resolved = with_mapping(resolve(recipe, workspace), workspace)
    machine = read_gpus()

    def look(view: CuratedView | None = None) -> list[PreflightCheck]:
        return preflight(
            resolved, workspace, gpus=machine.gpus, gpu_problem=machine.problem, driver=machine.driver, view=view
        )

    checks = look()
    if any(check.name in ("data", "mix") or check.path.startswith("data.") for check in stops(checks)):
        return resolved, checks
    try:
        view = curate(resolved, reading_workspace(workspace))
    except TunedeckError as fault:
        return resolved, [*checks, PreflightCheck("rows", "stop", str(fault), "data.train")]
    # Of all rows, counted from the training set, rather than what is known without it.
    counted = [
        PreflightCheck("rows", each.verdict, each.sentence, each.path, each.brief)
        for each in row_findings(view, resolved)
    ]
    places = [line.name for line in LINES]
    found = [*(check for check in look(view) if check.name != "rows"), *counted]
    return resolved, sorted(found, key=lambda check: places.index(check.name))


def say_checks(checks: Sequence[PreflightCheck]) -> None:
    """Print the checks, one paragraph each."""
    from core.recipe.recipe import KNOBS

    for check in checks:
        lead = f"{_MARKS[check.verdict]} {check.name.ljust(14)}  "
        title = KNOBS[check.path].title if check.name == "recipe" and check.path in KNOBS else ""
        named = not title or check.sentence.startswith(title)
        text = clean_line(check.sentence if named else f"{title}: {check.sentence}", 1_000)
        say("\n".join(textwrap.wrap(text, 80, initial_indent=lead, subsequent_indent=" " * len(lead))))


def stopped_words(refused: Sequence[PreflightCheck]) -> str:
    """How many checks would stop the run, a sentence."""
    return f"{'1 check blocks' if len(refused) == 1 else f'{len(refused)} checks block'} this run."
