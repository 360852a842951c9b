"""Save a run and stop it; with --now, stop it without saving."""

from __future__ import annotations

import argparse
import time

from core.errors import BadInput, JobFailed
from tui.commands.output import print_json, say
from tui.commands.which_run import ACTIVE, add_run_argument, refuse_unreachable, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--now", action="store_true", help="Stop without saving.")
    how.add_argument(
        "--gone",
        action="store_true",
        help="Give up a run on a machine that no longer exists, so that it can be resumed here.",
    )
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="Seconds to wait for the end (default: 600)."
    )
    parser.add_argument("--json", action="store_true", help="Print id, state and folder as one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Ask, and wait until the run has ended; exit code 1 if it did not stop as asked."""
    from core.jobs.requests import ask, give_up
    from core.jobs.state import standing

    folder = which_run(arguments, only=True)
    state = standing(folder).state
    if state not in ACTIVE:
        raise BadInput(f"{folder.path.name} is not running: it is {state}", do="There is nothing to stop")
    if arguments.gone:
        give_up(folder)
    else:
        refuse_unreachable(folder)
        ask(folder, "stop-now" if arguments.now else "stop")
    if not arguments.json and not arguments.gone:
        say(f"Stopping {folder.path.name} {'without saving' if arguments.now else 'after saving'} ...")
    deadline = time.monotonic() + arguments.timeout
    while (now := standing(folder)).state in ACTIVE:
        if time.monotonic() > deadline:
            raise JobFailed(
                f"{folder.path.name} did not stop within {arguments.timeout:.0f} s",
                do="It may still do so; `tunedeck tail` shows what it is doing, `tunedeck stop "
                "--now` stops it without saving",
            )
        time.sleep(0.2)
    if arguments.json:
        print_json({"id": folder.path.name, "state": now.state, "folder": str(folder.path)})
    else:
        say(f"{folder.path.name}: {now.state}. {now.detail}".rstrip())
    return 0 if arguments.gone or now.state in ("stopped", "finished") else 1
