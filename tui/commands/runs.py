"""List the runs of a workspace, newest first, with their results."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, TunedeckError
from core.units import duration, gib, significant
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.verdict.run_list import RunLine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="Print a JSON list of objects: id, state, folder, ...")
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder that holds `runs/` (default: the current one).",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from core.verdict.run_list import RunList

    if not arguments.workspace.is_dir():
        raise BadInput("No such folder", where=str(arguments.workspace), do="Name one that holds `runs/`")
    runs = RunList(arguments.workspace.resolve())
    lines, more = runs.read(), True
    while more:
        lines, more = runs.work(lines, 1.0)
    runs.save()
    if not lines and runs.problem:
        raise TunedeckError(runs.problem, where=str(arguments.workspace))
    if arguments.json:
        print_json([line.to_json() for line in lines])
        return 0
    if not lines:
        say("No runs here yet. Start one with `tunedeck train RECIPE.yaml`, or try `tunedeck demo`.")
        return 0
    width = max(len(line.info.id) for line in lines)
    for line in lines:
        say(_text(line, width))
    return 0


def _text(line: RunLine, width: int) -> str:
    """One run: id, state, steps, and what it came to."""
    run = line.info
    parts = [run.id.ljust(width), run.state.ljust(9), (f"{run.step:,} of {run.of:,}" if run.of else "").ljust(14)]
    parts += [f"best eval {significant(line.best_eval)}"] if line.best_eval is not None else []
    if line.adapter is not None and run.step is not None and line.adapter.step < run.step:
        parts.append(f"adapter from step {line.adapter.step:,}")
    parts += [duration(line.seconds)] if line.seconds is not None else []
    parts += [gib(line.memory)] if line.memory else []
    parts += [line.verdict] if line.verdict else []
    return "  ".join(parts).rstrip()
