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


def refuse_unreachable(folder: JobFolder) -> None:
    """Spare the user a wait for an answer that nobody can give.

    Raises:
        BadInput: the run is another machine's, and has not been heard from for a minute.
    """
    from core.jobs.requests import unreachable
    from core.jobs.state import standing

    now = standing(folder)
    if unreachable(now):
        raise BadInput(
            now.detail.rstrip("."),
            where=folder.id,
            do=f"If that machine is gone, `tunedeck stop {folder.id} --gone` ends the run, and `resume` goes on here",
        )


def which_run(arguments: argparse.Namespace, *, only: bool = False) -> JobFolder:
    """The run that the arguments name.

    Args:
        arguments: with `run` and `workspace`.
        only: whether, where none is named, one must be the only one that goes on: for what cannot be taken back.

    Raises:
        BadInput: there is no such run, or more than one.
    """
    workspace: Path = arguments.workspace.resolve()
    word: str | None = arguments.run
    if word is not None:
        return find_run(workspace, word)
    runs = list_runs(workspace)
    if not runs:
        raise BadInput("There are no runs", where=str(workspace), do="Start one with `tunedeck train RECIPE.yaml`")
    going = [run for run in runs if run.state in ACTIVE]
    begun = [run for run in going if run.state != "queued"]
    if only and len(begun) > 1:
        names = ", ".join(run.id for run in begun[:4]) + (" ..." if len(begun) > 4 else "")
        raise BadInput(f"{len(begun)} runs go on: {names}", do="Name the one that you mean")
    return JobFolder((begun or going or runs)[0].folder)
