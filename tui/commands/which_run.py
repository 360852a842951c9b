"""Which run a command means: by id, part of an id, folder, or the newest active one."""

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
        "run",
        nargs="?",
        metavar="RUN",
        help="Id, part of an id, or folder of the run (default: the newest active run).",
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder that holds `runs/` (default: the current one).",
    )


def refuse_unreachable(folder: JobFolder) -> None:
    """Refuse to wait for an answer that cannot come.

    Raises:
        BadInput: the run is on another machine and has not reported for a minute.
    """
    from core.jobs.requests import unreachable
    from core.jobs.state import standing

    now = standing(folder)
    if unreachable(now):
        raise BadInput(
            now.detail.rstrip("."),
            where=folder.id,
            do=f"If that machine no longer exists, use `tunedeck stop {folder.id} --gone`, then `tunedeck resume` here",
        )


def which_run(arguments: argparse.Namespace, *, only: bool = False) -> JobFolder:
    """The run that the arguments name.

    Args:
        arguments: with `run` and `workspace`.
        only: whether, where none is named, there must be only one active run: for what cannot be undone.

    Raises:
        BadInput: there is no such run, or more than one.
    """
    workspace: Path = arguments.workspace.resolve()
    word: str | None = arguments.run
    if word is not None:
        return find_run(workspace, word)
    runs = list_runs(workspace)
    if not runs:
        from core.jobs.workspaces import active_elsewhere
        from tui.run_words import active_elsewhere_words

        do = active_elsewhere_words(active_elsewhere(workspace)) or "Start one with `tunedeck train RECIPE.yaml`"
        raise BadInput("No runs here", where=str(workspace), do=do)
    going = [run for run in runs if run.state in ACTIVE]
    begun = [run for run in going if run.state != "queued"]
    if only and len(begun) > 1:
        names = ", ".join(run.id for run in begun[:4]) + (", …" if len(begun) > 4 else "")
        raise BadInput(f"{len(begun)} runs are active: {names}", do="Say which one")
    return JobFolder((begun or going or runs)[0].folder)
