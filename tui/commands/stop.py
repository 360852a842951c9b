"""Ask a run to save and end; with --now to end at once."""

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
    how.add_argument("--now", action="store_true", help="end without saving")
    how.add_argument(
        "--gone", action="store_true", help="of another machine that is gone for good: end the run here, to resume it"
    )
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="seconds to wait for the end (default 600)"
    )
    parser.add_argument("--json", action="store_true", help="print id, state and folder")


def run(arguments: argparse.Namespace) -> int:
    """Ask, and wait until the run has ended; 1 where it has ended in another way than it was asked to."""
    from core.jobs.requests import ask, give_up
    from core.jobs.state import standing

    folder = which_run(arguments, only=True)
    state = standing(folder).state
    if state not in ACTIVE:
        raise BadInput(f"{folder.path.name} does not run: it is {state}", do="There is nothing to stop")
    if arguments.gone:
        give_up(folder)
    else:
        refuse_unreachable(folder)
        ask(folder, "stop-now" if arguments.now else "stop")
    if not arguments.json and not arguments.gone:
        say(f"Asked {folder.path.name} to {'end now' if arguments.now else 'save and end'}.")
    deadline = time.monotonic() + arguments.timeout
    while (now := standing(folder)).state in ACTIVE:
        if time.monotonic() > deadline:
            raise JobFailed(
                f"{folder.path.name} has not ended after {arguments.timeout:.0f} s",
                do="It still may; `tunedeck tail` shows what it does, `tunedeck stop --now` does not wait",
            )
        time.sleep(0.2)
    if arguments.json:
        print_json({"id": folder.path.name, "state": now.state, "folder": str(folder.path)})
    else:
        say(f"{folder.path.name}: {now.state}. {now.detail}".rstrip())
    return 0 if arguments.gone or now.state in ("stopped", "finished") else 1
