"""Which run a command means: by id, by a part of it, by its folder, or the one that goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.runs import list_runs

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
    if word and (Path(word) / "job.json").exists():
        return JobFolder(Path(word).resolve())
    runs = list_runs(workspace)
    if not runs:
        raise BadInput("there are no runs", where=str(workspace), do="Start one with `tunedeck train RECIPE.yaml`")
    if not word:
        return JobFolder(next((run for run in runs if run.state in ACTIVE), runs[0]).folder)
    found = [run for run in runs if run.id == word] or [run for run in runs if word in run.id]
    if not found:
        raise BadInput(f"there is no run {word}", where=str(workspace), do="`tunedeck runs` lists them")
    if len(found) > 1:
        names = ", ".join(run.id for run in found[:5])
        raise BadInput(f"{word} stands for {len(found)} runs: {names}", do="Write more of the id")
    return JobFolder(found[0].folder)
