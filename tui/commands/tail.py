"""Print metrics, events and verdicts of a run as they arrive."""

from __future__ import annotations

import argparse
import sys

from tui.commands.output import json_text, say
from tui.commands.which_run import ACTIVE, add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    parser.add_argument("--once", action="store_true", help="Print everything so far and exit.")
    parser.add_argument("--log", action="store_true", help="Also print the training process's own output.")
    parser.add_argument(
        "--json", action="store_true", help="Print JSON lines: metrics, events, verdicts and, last, the status."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print until the run has ended, or once."""
    from core.clean import clean_line
    from core.jobs.follow import Follower, Update
    from core.jobs.state import standing
    from tui.commands.watch import EventPrinter, VerdictPrinter, in_order, is_about_a_process, metric_line, watch
    from tui.run_words import run_words

    folder = which_run(arguments)
    printer, events = VerdictPrinter(folder), EventPrinter()

    def as_text(update: Update) -> None:
        for record, is_event in in_order(update):
            if not is_event:
                say(metric_line(record))
            elif not is_about_a_process(record) and (line := events.take(record)):
                say(line)
        for line in update.log if arguments.log else ():
            say(f"log: {clean_line(line)}")
        verdict = printer.take(update)
        if verdict is not None:
            say(verdict.text())

    def as_json(update: Update) -> None:
        for kind, records in (("metric", update.metrics), ("event", update.events)):
            for record in records:
                sys.stdout.write(json_text({"type": kind, **record}) + "\n")
        for line in update.log if arguments.log else ():
            sys.stdout.write(json_text({"type": "log", "line": line}) + "\n")
        verdict = printer.take(update)
        if verdict is not None:
            sys.stdout.write(json_text({"type": "verdict", **verdict.to_json()}) + "\n")
        sys.stdout.flush()

    show = as_json if arguments.json else as_text
    if arguments.once:
        follower = Follower(folder)
        update = follower.poll()
        show(update)
        while update.more:
            update = follower.poll()
            show(update)
        state, status, detail = update.state, update.status, update.detail
    else:
        state = watch(folder, show)
        status, detail = folder.read_status(), standing(folder).detail
    if arguments.json:
        say(
            json_text(
                {
                    "type": "status",
                    "id": folder.path.name,
                    "state": state,
                    "step": status.step,
                    "of": status.of,
                    "message": detail,
                }
            )
        )
    else:
        say(f"{folder.path.name}: {run_words(state, status)}  {events.ending(detail)}".rstrip())
    return 0 if state in ACTIVE | {"finished"} else 3 if state == "stopped" else 1
