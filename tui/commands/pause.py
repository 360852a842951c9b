"""Pause a run at its next step. It keeps its memory; `tunedeck resume` resumes it.

With --release the run is saved and stopped, which frees its memory; `resume` then starts from the checkpoint.
"""

from __future__ import annotations

import argparse

from core.errors import BadInput
from core.jobs.folder import JobFolder
from tui.commands import stop
from tui.commands.ask import add_wait_arguments, ask_and_wait
from tui.commands.output import say
from tui.commands.which_run import add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    parser.add_argument("--release", action="store_true", help="Save and stop the run to free its memory.")
    add_wait_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and wait until it is paused."""
    if not arguments.release:
        return ask_and_wait(which_run(arguments, only=True), "pause", arguments)
    folder = which_run(arguments, only=True)
    arguments.now = arguments.gone = False
    code = stop.run(arguments)
    if not arguments.json:
        say(f"Its memory is free; {how_to_resume(folder)}")
    return code


def how_to_resume(folder: JobFolder) -> str:
    """How an ended run is resumed, or why it cannot be."""
    from core.runs.resume import plan_resume

    try:
        plan = plan_resume(folder)
    except BadInput as error:
        return f"it cannot be resumed: {error}"
    return f"`tunedeck resume {folder.id}` resumes it from {plan.where}."
