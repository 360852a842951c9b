"""List the runs of a workspace, newest first."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.commands.output import print_json, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print a list of objects: id, state, folder, ...")
    parser.add_argument("--workspace", type=Path, default=Path(), help="the folder that holds `runs/` (default: here)")


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from core.jobs.runs import list_runs

    runs = list_runs(arguments.workspace.resolve())
    if arguments.json:
        print_json([found.to_json() for found in runs])
        return 0
    if not runs:
        say("No runs here yet. `tunedeck train RECIPE.yaml` starts one; `tunedeck demo` shows the whole walk.")
        return 0
    width = max(len(found.id) for found in runs)
    for found in runs:
        progress = f"{found.step:,} of {found.of:,}" if found.of else ""
        say(f"{found.id.ljust(width)}  {found.state.ljust(9)} {progress}")
    return 0
