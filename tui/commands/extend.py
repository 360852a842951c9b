"""Train a finished run for more epochs, as a new run.

It keeps the optimizer state, and its learning rate follows the schedule of the longer run. With --fresh it starts from
the weights alone, with a new optimizer and a new schedule.
"""

from __future__ import annotations

import argparse

from tui.commands.output import print_json, say
from tui.commands.train import watch_run
from tui.commands.trust import add_allow_arguments, take_allowed
from tui.commands.which_run import add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--epochs", type=float, metavar="N", help="More epochs (default: 1).")
    amount.add_argument("--steps", type=int, metavar="N", help="More optimizer steps instead.")
    parser.add_argument(
        "--fresh", action="store_true", help="Start from the weights, with a new optimizer and learning rate schedule."
    )
    parser.add_argument("--detach", action="store_true", help="Start it and return right away.")
    parser.add_argument("--dry-run", action="store_true", help="Show what would happen; start nothing.")
    add_allow_arguments(parser)
    parser.add_argument("--json", action="store_true", help="Print id, state and folder as one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Start the new run, and show its progress unless detached."""
    from core.jobs.state import standing
    from core.runs.extend import MoreSteps, extend_run, plan_extend

    folder = which_run(arguments)
    epochs = 1.0 if arguments.epochs is None and arguments.steps is None else arguments.epochs or 0.0
    plan = plan_extend(folder, MoreSteps(epochs, arguments.steps or 0, arguments.fresh))
    take_allowed(arguments, plan.recipe)
    if not arguments.json:
        say(plan.words)
    if arguments.dry_run:
        if arguments.json:
            step = None if plan.checkpoint is None else plan.checkpoint.step
            print_json({"from": folder.id, "step": step, "fresh": arguments.fresh, "plan": plan.words})
        return 0
    made = extend_run(plan)
    if not arguments.detach:
        return watch_run(made, quiet=arguments.json)
    if arguments.json:
        print_json({"id": made.id, "state": standing(made).state, "folder": str(made.path)})
    else:
        say(f"Started {made.id}. `tunedeck attach` shows it live, `tunedeck tail` prints it.")
    return 0
