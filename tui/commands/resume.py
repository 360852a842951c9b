"""Resume a run: a paused one right away, an ended one from its last complete checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.commands.ask import add_wait_arguments, ask_and_wait
from tui.commands.output import print_json, say
from tui.commands.train import watch_run
from tui.commands.trust import add_allow_arguments, take_allowed
from tui.commands.which_run import ACTIVE, add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="RECIPE.yaml",
        help="Use this recipe; only fields that do not change the training may differ.",
    )
    parser.add_argument("--detach", action="store_true", help="Start it and return right away.")
    parser.add_argument(
        "--dry-run", action="store_true", help="Show which checkpoint it would resume from; start nothing."
    )
    add_allow_arguments(parser)
    add_wait_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show where it resumes from, start it, and show its progress unless detached."""
    from core.jobs.follow import Follower
    from core.jobs.state import standing
    from core.recipe.yamlfile import load
    from core.runs.resume import plan_resume, resume_run
    from core.runs.start import resolve
    from tui.commands.watch import RunPrinter

    folder = which_run(arguments)
    if standing(folder).state in ACTIVE:
        return ask_and_wait(folder, "resume", arguments)
    chosen = resolve(load(arguments.recipe), arguments.recipe.resolve().parent) if arguments.recipe else None
    plan = plan_resume(folder, chosen)
    take_allowed(arguments, plan.recipe)
    if not arguments.json:
        for sentence in plan.passed:
            say(sentence)
        say(f"Resuming {folder.id} from {plan.where}.")
    follower, printer = Follower(folder), RunPrinter(folder)
    if not arguments.dry_run:
        more = not arguments.detach
        while more:  # what was reported before is not reported again
            update = follower.poll()
            printer.skip(update)
            more = update.more
        resume_run(folder, plan)
    if arguments.dry_run or arguments.detach:
        if arguments.json:
            print_json(
                {"id": folder.id, "state": standing(folder).state, "folder": str(folder.path), "step": plan.step}
            )
        return 0
    return watch_run(folder, quiet=arguments.json, begun=(follower, printer))
