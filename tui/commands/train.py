"""Train a recipe in a detached run. The run goes on when this command, its terminal or the connection ends."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.jobs.folder import JobFolder
from tui.commands import queue
from tui.commands.output import print_json, say
from tui.commands.queue import add_wish_arguments
from tui.commands.trust import add_allow_arguments, take_allowed

if TYPE_CHECKING:
    from core.jobs.follow import Follower
    from tui.commands.watch import RunPrinter

EXIT_CODES = {"finished": 0, "failed": 1, "lost": 1, "stopped": 3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "recipe", type=Path, metavar="RECIPE.yaml", help="what to train; the app or `tunedeck demo` writes one"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="change a field, such as lora.rank=32"
    )
    parser.add_argument("--name", help="the run's name (default: the recipe's)")
    parser.add_argument("--detach", action="store_true", help="start it and return at once")
    parser.add_argument("--queue", action="store_true", help="put it at the end of the queue and return at once")
    add_wish_arguments(parser)
    add_allow_arguments(parser)
    parser.add_argument(
        "--print-slurm", action="store_true", help="start nothing: prepare the run and print a script for sbatch"
    )
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines of the script (default: 1)")
    parser.add_argument("--workspace", type=Path, default=Path(), help="where `runs/` lies (default: here)")
    parser.add_argument("--json", action="store_true", help="print id, state and folder as JSON, nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Start the run and, unless detached, show its progress until it ends."""
    from core.recipe.command_line import apply_settings
    from core.recipe.yamlfile import load
    from core.runs.start import resolve, start_run

    if arguments.queue:
        folder = queue.add(arguments, arguments.workspace.resolve())
        if arguments.json:
            print_json({"id": folder.path.name, "state": "queued", "folder": str(folder.path)})
        else:
            say(f"Queued {folder.path.name}. {folder.read_status().message}")
        return 0
    if arguments.at or arguments.free_gib:
        raise BadInput("Only a queued run waits for a time or for memory", do="Add --queue")
    recipe = apply_settings(load(arguments.recipe), arguments.set, Path.cwd())
    if arguments.name:
        recipe = replace(recipe, name=arguments.name)
    take_allowed(arguments, resolve(recipe, arguments.workspace.resolve()))
    if arguments.print_slurm:
        from core.runs.slurm import NAME, slurm_run

        prepared = slurm_run(recipe, arguments.workspace.resolve(), arguments.nodes)
        say((prepared.path / NAME).read_text(encoding="utf-8").rstrip("\n"))
        return 0
    folder = start_run(recipe, arguments.workspace.resolve())
    if arguments.detach:
        if arguments.json:
            print_json({"id": folder.path.name, "state": "starting", "folder": str(folder.path)})
        else:
            say(f"Started {folder.path.name}. `tunedeck attach` shows it live, `tunedeck tail` prints it.")
        return 0
    return watch_run(folder, quiet=arguments.json)


def watch_run(folder: JobFolder, *, quiet: bool = False, begun: tuple[Follower, RunPrinter] | None = None) -> int:
    """Show a run's progress until it ends.

    Args:
        folder: the run.
        quiet: print one JSON object at the end and nothing before.
        begun: what has read the run so far, where it goes on; None to show it from its beginning.

    Returns:
        0 finished, 1 failed or lost, 3 stopped, 130 when ctrl+c ended the watching (the run goes on).
    """
    from core.jobs.state import standing
    from tui.commands.watch import RunPrinter, watch
    from tui.run_words import run_words

    run_id = folder.path.name
    follower, printer = begun or (None, RunPrinter(folder))
    if not quiet:
        say(f"{'Started' if begun is None else 'Resumed'} {run_id} in {folder.path}")
        say("It goes on without this terminal; ctrl+c stops watching, not the run.")
    try:
        state = watch(folder, (lambda _: None) if quiet else printer.show, follower=follower)
    except KeyboardInterrupt:
        printer.close()
        if not quiet:
            say(f"\n{run_id} goes on. `tunedeck attach {run_id}` shows it live.")
            say(f"`tunedeck stop {run_id}` saves and ends it.")
        return 130
    printer.close()
    status, detail = folder.read_status(), standing(folder).detail
    if quiet:
        print_json({"id": run_id, "state": state, "folder": str(folder.path), "message": detail})
    else:
        say(f"{run_id}: {run_words(state, status)}. {detail}".rstrip())
        if state in ("finished", "stopped"):
            _say_result(folder)
    return EXIT_CODES.get(state, 1)


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
