"""What `tunedeck train --dry-run` does: all checks of a start, and the numbers of the run; nothing is started."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean_line
from tui.commands.exit_codes import EXIT_BAD_INPUT, EXIT_OK
from tui.commands.output import print_json, say
from tui.commands.scratch import reading_workspace

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_MARKS = {"ok": "ok   ", "warn": "warn ", "stop": "STOP "}


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
    from core.recipe.mapped import with_mapping
    from core.recipe.recipe import KNOBS
    from core.recipe.schedule import schedule_of
    from core.runs.curate import curate
    from core.runs.preflight import preflight, stops
    from core.runs.start import read_gpus, resolve

    resolved = with_mapping(resolve(recipe, workspace), workspace)
    gpus, problem = read_gpus()
    checks = preflight(resolved, workspace, gpus=gpus, gpu_problem=problem)
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
    for check in checks:
        lead = f"{_MARKS[check.verdict]} {check.name.ljust(13)}  "
        title = KNOBS[check.path].title if check.name == "recipe" and check.path in KNOBS else ""
        named = not title or check.sentence.startswith(title)
        text = clean_line(check.sentence if named else f"{title}: {check.sentence}", 1_000)
        say("\n".join(textwrap.wrap(text, 80, initial_indent=lead, subsequent_indent=" " * len(lead))))
    if samples is None:
        many = "1 check" if len(refused) == 1 else f"{len(refused)} checks"
        say(f"{many} would stop this run. Nothing was started.")
        return EXIT_BAD_INPUT
    least = "at least " if resolved.data.chunk_text and not resolved.training.max_steps else ""
    say(f"Would train on {samples['train']:,} samples for {least}{steps:,} steps, {samples['eval']:,} held out.")
    say("Nothing was started.")
    return EXIT_OK
