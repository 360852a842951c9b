"""Which run a command means: by id, by a part of it, by its folder, or the one that goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.runs import find_run, list_runs

ACTIVE = frozenset({"queued", "starting", "running", "paused", "stopping"})
"""States of a run that has not ended."""


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `RUN` and `--workspace`."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="id, a part of it, or a folder (default: the newest that goes on)"
    )
    parser.add_argument("--workspace", type=Path, default=Path(), help="the folder that holds `runs/` (default: here)")


def which_run(arguments: argparse.Namespace) -> JobFolder:
    """The run that the arguments name.

    Raises:
        BadInput: there is no such run, or more than one.
    """
    workspace: Path = arguments.workspace.resolve()
    word: str | None = arguments.run
    if word:
        return find_run(workspace, word)
    runs = list_runs(workspace)
    if not runs:
        raise BadInput("there are no runs", where=str(workspace), do="Start one with `tunedeck train RECIPE.yaml`")
    going = [run for run in runs if run.state in ACTIVE]
    begun = [run for run in going if run.state != "queued"]
    return JobFolder((begun or going or runs)[0].folder)
