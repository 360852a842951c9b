"""The queue of runs: list it, add a recipe, remove or move a run, pause or start the queue.

Queued runs start one after the other on their devices, without a terminal.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import timestamps
from core.errors import BadInput
from tui.commands.output import print_json, say
from tui.commands.trust import add_allow_arguments, add_precision_argument, take_allowed

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from core.recipe.recipe import Recipe

DOINGS = ("list", "add", "remove", "release", "move", "start", "pause")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "do",
        nargs="?",
        default="list",
        choices=DOINGS,
        metavar="ACTION",
        help="list (default), add, remove, release, move, start or pause.",
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="RECIPE|RUN",
        help="Recipes to add (several are a pipeline: each starts from the one before it); a run to remove, or to "
        "release from waiting for the one before it; a run and its new position to move.",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="Change a field of an added recipe, such as lora.rank=32.",
    )
    parser.add_argument("--name", metavar="NAME", help="Name of an added run (default: the recipe's).")
    add_wish_arguments(parser)
    add_allow_arguments(parser)
    add_precision_argument(parser)
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder that holds `runs/` (default: the current one).",
    )
    parser.add_argument("--json", action="store_true", help="Print the queue as one JSON object.")


def add_wish_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--at` and `--free-gib`."""
    parser.add_argument("--at", metavar="TIME", help="Earliest start, such as 23:30 or '2026-11-22 23:30'.")
    parser.add_argument(
        "--free-gib", type=float, default=0.0, metavar="N", help="Start once N GiB are free on the run's GPU."
    )


def run(arguments: argparse.Namespace) -> int:
    """Change the queue, and show it."""
    from core.jobs.queue import Queue
    from core.jobs.queue_runner import update_waiting_runs
    from core.jobs.trust import NotAgreed
    from core.runs.queueing import pick_up, refuse_unknown

    workspace: Path = arguments.workspace.resolve()
    if not workspace.is_dir():
        raise BadInput("No such folder", where=str(workspace), do="Give one that holds `runs/`")
    queue = Queue(workspace)
    if arguments.do not in ("list", "add"):
        refuse_unknown(workspace)
    if arguments.do == "add":
        folders = add(arguments, workspace)
        if not arguments.json:
            say(f"Queued {', then '.join(folder.id for folder in folders)}. It starts without this terminal.")
    elif arguments.do == "remove":
        removed = queue.remove(_run_of(arguments, workspace).id)
        if len(removed) > 1 and not arguments.json:
            say(f"Removed {removed[0]}, and after it in its pipeline: {', '.join(removed[1:])}.")
    elif arguments.do == "release":
        from core.runs.pipeline_queue import release

        release(workspace, _run_of(arguments, workspace))
    elif arguments.do == "move":
        queue.move(_run_of(arguments, workspace, more=1).id, _place(arguments.what))
    elif arguments.do in ("start", "pause"):
        queue.pause(arguments.do == "pause")
    try:
        said = pick_up(workspace)
    except NotAgreed as refused:  # anyone may look
        if arguments.do != "list":
            raise
        said = [str(refused)]
    if arguments.do != "list":
        update_waiting_runs(workspace)
    return _show(workspace, said, as_json=arguments.json)


def add(arguments: argparse.Namespace, workspace: Path) -> list[JobFolder]:
    """Queue recipes, several as a pipeline; the arguments are those of `add`, or of `train`."""
    from core.runs.pipeline_queue import queue_pipeline
    from core.runs.queueing import Wish, parse_time, queue_run
    from core.runs.start import resolve

    files = getattr(arguments, "recipe", None) or arguments.what
    if not files:
        raise BadInput("The recipe is missing", do="Use `tunedeck queue add RECIPE.yaml`")
    wish = Wish(arguments.free_gib, parse_time(arguments.at) if arguments.at else 0.0)
    stages = stages_given(arguments, files)
    for stage in stages:
        take_allowed(arguments, resolve(stage, workspace))
    if len(stages) == 1:
        return [queue_run(stages[0], workspace, wish, pure_bf16=arguments.pure_bf16)]
    return queue_pipeline(stages, workspace, wish, pure_bf16=arguments.pure_bf16)


def stages_given(arguments: argparse.Namespace, files: Sequence[str | Path]) -> list[Recipe]:
    """The recipes of the command line, with what `--set` and `--name` say; those of `then` follow the first file's.

    Args:
        arguments: `--set` counts for all, `--name` for the first.
        files: at least one.
    """
    from dataclasses import replace

    from core.recipe.command_line import apply_settings
    from core.recipe.yamlfile import load
    from core.runs.pipeline import stages_of

    found: list[Recipe] = []
    for file in files:
        recipe = apply_settings(load(Path(file)), arguments.set, Path.cwd())
        if found and recipe.then:
            raise BadInput(f"{file} already has a `then`", do="List all recipes here, or in the first one")
        first, *rest = stages_of(recipe)
        if len(files) > 1 and rest:
            raise BadInput(f"{file} names the recipes after it (`then`)", do="List them there or here, not in both")
        found += [replace(first, then=()), *(apply_settings(each, arguments.set, Path.cwd()) for each in rest)]
    if arguments.name:
        found[0] = replace(found[0], name=arguments.name)
    return found


def _run_of(arguments: argparse.Namespace, workspace: Path, more: int = 0) -> JobFolder:
    from core.jobs.runs import find_run

    what: list[str] = arguments.what
    usage = f"Use `tunedeck queue {arguments.do} RUN{' PLACE' * more}`"
    if not what:
        raise BadInput("The run is missing", do=usage)
    if len(what) > 1 + more:
        raise BadInput("One run at a time", where=" ".join(what[1 + more :]), do=usage)
    return find_run(workspace, what[0])


def _place(what: Sequence[str]) -> int:
    if len(what) < 2:
        raise BadInput("The new position is missing", do="`tunedeck queue move RUN 1` makes it the first")
    if not what[1].isdecimal():
        raise BadInput("The new position must be a whole number", where=what[1], do="1 is the first")
    return int(what[1])


def _show(workspace: Path, said: list[str], *, as_json: bool) -> int:
    from core.jobs.queue import Queue
    from core.runs.queueing import waiting_runs

    contents = Queue(workspace).read()
    waiting = waiting_runs(workspace)
    going = [entry for entry in contents.entries if entry not in [waits for waits, _ in waiting]]
    if as_json:
        runs: list[dict[str, Any]] = [
            {**entry.to_json(), "place": place, "waits": words} for place, (entry, words) in enumerate(waiting, 1)
        ]
        print_json(
            {"paused": contents.paused, "running": [e.id for e in going], "waiting": runs, "runner": contents.alive}
        )
        return 0
    for sentence in said:
        say(sentence)
    for entry in going:
        say(f"{entry.id}  active")
    if not waiting:
        say("No runs are queued. `tunedeck train RECIPE.yaml --queue` adds one.")
    for entry, words in waiting:
        say(f"{entry.id}  {words}  (since {timestamps.text(entry.added, '%d %b %H:%M')})")
    if contents.paused:
        say("The queue is paused. `tunedeck queue start` starts it again.")
    return 0
