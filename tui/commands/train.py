"""Train a recipe in a detached run and show its progress.

The run keeps running when this command, its terminal or the connection ends.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.jobs.folder import JobFolder
from tui.commands import queue
from tui.commands.arguments import add_set_argument, add_workspace_argument
from tui.commands.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, STATE_CODES
from tui.commands.output import print_json, say
from tui.commands.queue import add_wish_arguments
from tui.commands.scan import add_eval_arguments, eval_settings
from tui.commands.trust import add_allow_arguments, add_precision_argument, take_allowed

if TYPE_CHECKING:
    from core.jobs.follow import Follower
    from tui.commands.watch import RunPrinter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "recipe",
        type=Path,
        nargs="+",
        metavar="RECIPE.yaml",
        help="Recipe to train; `tunedeck init` writes one. Several are queued as a pipeline: each starts from the "
        "weights of the one before it.",
    )
    add_set_argument(parser)
    add_eval_arguments(parser)
    parser.add_argument("--name", metavar="NAME", help="Name of the run (default: the recipe's).")
    parser.add_argument("--detach", action="store_true", help="Start the run and return right away.")
    parser.add_argument("--dry-run", action="store_true", help="Check everything and show the numbers; start nothing.")
    parser.add_argument("--queue", action="store_true", help="Add the run to the queue and return right away.")
    add_wish_arguments(parser)
    add_allow_arguments(parser)
    add_precision_argument(parser)
    parser.add_argument(
        "--print-slurm", action="store_true", help="Prepare the run and print a script for sbatch; start nothing."
    )
    parser.add_argument(
        "--nodes", type=int, default=1, metavar="N", help="Number of machines for the Slurm script (default: 1)."
    )
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="Print id, state and folder as one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Start the run and, unless detached, show its progress until it ends."""
    from core.runs.start import resolve, start_run

    arguments.set = [*arguments.set, *eval_settings(arguments)]
    if (arguments.at or arguments.free_gib) and not arguments.queue:
        raise BadInput("--at and --free-gib work only with --queue", do="Add --queue")
    recipe, *rest = queue.stages_given(arguments, arguments.recipe)
    if arguments.dry_run:
        from core.recipe.yamlfile import load
        from tui.commands.dry_run import dry_run

        after = tuple(map(os.path.abspath, arguments.recipe[1:])) or load(arguments.recipe[0]).then
        return dry_run(replace(recipe, then=after), arguments.workspace.resolve(), as_json=arguments.json)
    if rest and arguments.print_slurm:
        raise BadInput("A pipeline has no Slurm script", do="Print one for each recipe, with its own `starts_from`")
    if arguments.queue or rest:
        return _say_queued(queue.add(arguments, arguments.workspace.resolve()), as_json=arguments.json)
    take_allowed(arguments, resolve(recipe, arguments.workspace.resolve()))
    if arguments.print_slurm:
        from core.runs.slurm import NAME, slurm_run

        prepared = slurm_run(recipe, arguments.workspace.resolve(), arguments.nodes)
        say((prepared.path / NAME).read_text(encoding="utf-8").rstrip("\n"))
        return 0
    folder = start_run(recipe, arguments.workspace.resolve(), pure_bf16=arguments.pure_bf16)
    if arguments.detach:
        if arguments.json:
            print_json({"id": folder.path.name, "state": "starting", "folder": str(folder.path)})
        else:
            say(f"Started {folder.path.name}. `tunedeck attach` shows it live, `tunedeck tail` prints it.")
        return 0
    return watch_run(folder, quiet=arguments.json)


def _say_queued(folders: list[JobFolder], *, as_json: bool) -> int:
    """Print what was queued; in JSON the first run, with all of a pipeline."""
    first = folders[0]
    if as_json:
        found = {"id": first.id, "state": "queued", "folder": str(first.path)}
        print_json({**found, **({"pipeline": [folder.id for folder in folders]} if len(folders) > 1 else {})})
    elif len(folders) == 1:
        say(f"Queued {first.id}. {first.read_status().message}")
    else:
        say(f"Queued a pipeline of {len(folders)} runs: {', then '.join(folder.id for folder in folders)}.")
        say("It runs without this terminal. `tunedeck queue` lists it; if a run fails, those after it are held.")
    return 0


def watch_run(folder: JobFolder, *, quiet: bool = False, begun: tuple[Follower, RunPrinter] | None = None) -> int:
    """Show a run's progress until it ends.

    Args:
        folder: the run.
        quiet: print one JSON object at the end and nothing else.
        begun: the follower and printer that have read a resumed run so far; None to show it from its start.

    Returns:
        An exit code of `tui.commands.exit_codes`.
    """
    from core.jobs.state import standing
    from tui.commands.watch import RunPrinter, watch
    from tui.run_words import run_words

    run_id = folder.path.name
    follower, printer = begun or (None, RunPrinter(folder))
    if not quiet:
        say(f"{'Started' if begun is None else 'Resumed'} {run_id} in {folder.path}")
        say("It runs without this terminal: ctrl+c stops watching, not the run.")
    try:
        state = watch(folder, (lambda _: None) if quiet else printer.show, follower=follower)
    except KeyboardInterrupt:
        printer.close()
        if not quiet:
            say(f"\n{run_id} keeps running. `tunedeck attach {run_id}` shows it live.")
            say(f"`tunedeck stop {run_id}` saves and stops it.")
        return EXIT_INTERRUPTED
    printer.close()
    status, detail = folder.read_status(), standing(folder).detail
    if quiet:
        print_json({"id": run_id, "state": state, "folder": str(folder.path), "message": detail})
    else:
        say(f"{run_id}: {run_words(state, status)}. {printer.ending(detail)}".rstrip())
        if state in ("finished", "stopped"):
            _say_result(folder)
    return STATE_CODES.get(state, EXIT_FAILED)


def _say_result(folder: JobFolder) -> None:
    from core.jobs.runs import run_info
    from core.runs.artifacts import adapter_words, read_adapter
    from core.runs.scores import read_comparison

    try:
        comparison, adapter = read_comparison(folder.path), read_adapter(folder.path)
    except BadInput as error:
        say(str(error))
        return
    if comparison and comparison.base_loss is not None and comparison.tuned_loss is not None:
        say(
            f"eval loss: base {comparison.base_loss:.3f}, tuned {comparison.tuned_loss:.3f} "
            f"on {comparison.eval_samples} held-out samples"
        )
    if comparison and comparison.reward_words:
        say(comparison.reward_words)
    if adapter:
        say(f"adapter: {adapter_words(adapter, run_info(folder).step)}")
