"""Send a request to a run and wait until it is done."""

from __future__ import annotations

import argparse
import time

from core.errors import BadInput, JobFailed
from core.jobs.folder import JobFolder
from tui.commands.output import print_json, say
from tui.commands.which_run import ACTIVE, refuse_unreachable


def add_wait_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--timeout` and `--json`."""
    parser.add_argument(
        "--timeout", type=float, default=600, metavar="S", help="Seconds to wait for the run (default: 600)."
    )
    parser.add_argument("--json", action="store_true", help="Print id, state and folder as one JSON object.")


def ask_and_wait(folder: JobFolder, name: str, arguments: argparse.Namespace) -> int:
    """Send a request to a run and wait until it is done.

    Args:
        folder: the run.
        name: of `core.jobs.requests`.
        arguments: with `timeout` and `json`.

    Raises:
        BadInput: the run has ended, or refuses the request.
        JobFailed: it did not answer in time; it still may.
    """
    from core.jobs import requests
    from core.jobs.follow import Follower
    from core.jobs.state import standing

    state = standing(folder).state
    if state not in ACTIVE:
        raise BadInput(f"{folder.id} is not running: it is {state}", do="`tunedeck runs` lists all runs")
    refuse_unreachable(folder)
    follower = Follower(folder)
    while follower.poll().more:
        pass  # older answers do not count
    requests.ask(folder, name)
    deadline = time.monotonic() + arguments.timeout
    while time.monotonic() < deadline:
        update = follower.poll()
        for event in update.events:
            if event.get("request") != name or event.get("answer") not in (requests.DONE, requests.REFUSED):
                continue
            message = str(event.get("message", ""))
            if event["answer"] == requests.REFUSED:
                raise BadInput(message.rstrip("."), where=folder.id)
            return _send(folder, message, arguments)
        if update.over:
            raise BadInput(f"The run ended before it answered: it is {update.state}", where=folder.id)
        time.sleep(0.1)
    raise JobFailed(
        f"{folder.id} did not answer within {arguments.timeout:.0f} s",
        do="It may still do so; `tunedeck tail` shows what it is doing",
    )


def _send(folder: JobFolder, message: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"id": folder.id, "state": folder.read_status().state, "folder": str(folder.path)})
    else:
        say(f"{folder.id}: {message}")
    return 0
