"""What `tunedeck train --dry-run` does: all checks of a start, and the numbers of the run; nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands.exit_codes import EXIT_BAD_INPUT, EXIT_OK
from tui.commands.output import print_json, say
from tui.commands.preflight import check_recipe, say_checks, stopped_words
from tui.commands.scratch import reading_workspace

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def dry_run(recipe: Recipe, workspace: Path, *, as_json: bool) -> int:
    """Check a recipe as a start does, and print what was found.

    Args:
        recipe: as loaded.
        workspace: the folder for `runs/`.
        as_json: print one object: checks, samples, steps.

    Returns:
        0, or 2 where a check would stop the start.

    Raises:
        BadInput: the training set cannot be built.
    """
    from core.recipe.schedule import schedule_of
    from core.runs.curate import curate
    from core.runs.preflight import stops

    resolved, checks = check_recipe(recipe, workspace)
    refused = stops(checks)
    samples = steps = None
    if not refused:
        view = curate(resolved, reading_workspace(workspace))
        samples = {"train": view.train_count, "eval": view.eval_count, "dropped": dict(view.dropped)}
        steps = schedule_of(resolved, view.train_count).steps
    if as_json:
        listed = [
            {"name": check.name, "verdict": check.verdict, "message": check.sentence, "field": check.path}
            for check in checks
        ]
        print_json({"ok": not refused, "checks": listed, "samples": samples, "steps": steps})
        return EXIT_BAD_INPUT if refused else EXIT_OK
    say_checks(checks)
    if samples is None:
        say(f"{stopped_words(refused)} Nothing was started.")
        return EXIT_BAD_INPUT
    least = "at least " if resolved.data.chunk_text and not resolved.training.max_steps else ""
    many = f"{samples['train']:,} sample{'s' * (samples['train'] != 1)}"
    length = f"{least}{steps:,} step{'s' * (steps != 1)}"
    say(f"Would train on {many} for {length}, {samples['eval']:,} held out.")
    say("Nothing was started.")
    return EXIT_OK
