"""List the runs of a workspace, newest first, with their results."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, TunedeckError
from core.units import count, duration, gib, significant
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.verdict.run_list import RunLine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--all", action="store_true", help="List the runs of every workspace that you have used.")
    parser.add_argument("--json", action="store_true", help="Print a JSON list of objects: id, state, folder, ...")
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder that holds `runs/` (default: the current one).",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from core.jobs.workspaces import remember

    if arguments.all:
        return _run_all(as_json=arguments.json)
    workspace: Path = arguments.workspace.resolve()
    if not workspace.is_dir():
        raise BadInput("No such folder", where=str(arguments.workspace), do="Give one that holds `runs/`")
    lines, problem = _read(workspace)
    if not lines and problem:
        raise TunedeckError(problem, where=str(arguments.workspace))
    if lines:
        remember(workspace)
    if arguments.json:
        print_json([line.to_json() for line in lines])
    elif lines:
        _print(lines)
    else:
        _print_hint(workspace)
    return 0


def _run_all(*, as_json: bool) -> int:
    """The runs of every known workspace, those with active runs first."""
    from core.jobs.workspaces import ACTIVE, known
    from tui.run_words import home_path

    found = [(workspace, lines) for workspace in known() if (lines := _read(workspace)[0])]
    active = {workspace: sum(line.info.state in ACTIVE for line in lines) for workspace, lines in found}
    found.sort(key=lambda each: not active[each[0]])
    if as_json:
        print_json([{"workspace": str(place), **line.to_json()} for place, lines in found for line in lines])
        return 0
    if not found:
        say("No runs in any workspace that you have used. Start one with `tunedeck train RECIPE.yaml`.")
    for place, (workspace, lines) in enumerate(found):
        words = f"{count(len(lines))} run{'s' * (len(lines) != 1)}"
        words += f", {active[workspace]} active" if active[workspace] else ""
        say(f"{'' if place == 0 else chr(10)}{home_path(workspace)}  ({words})")
        _print(lines)
    return 0


def _read(workspace: Path) -> tuple[list[RunLine], str]:
    """All runs of a workspace with all that can be known of them, and why they could not be listed."""
    from core.verdict.run_list import RunList

    runs = RunList(workspace)
    lines, more = runs.read(), True
    while more:
        lines, more = runs.work(lines, 1.0)
    runs.save()
    return lines, runs.problem


def _print_hint(workspace: Path) -> None:
    """What to do in a folder without runs, and where there are some."""
    from core.jobs.workspaces import active_elsewhere, known
    from tui.run_words import active_elsewhere_words

    if words := active_elsewhere_words(active_elsewhere(workspace)):
        say(f"No runs here. {words} `tunedeck runs --all` lists everything.")
    elif any(path != workspace for path in known()):
        say("No runs here. `tunedeck runs --all` lists the runs of your other workspaces.")
    else:
        say("No runs here yet. Start one with `tunedeck train RECIPE.yaml`, or try `tunedeck demo`.")


def _print(lines: list[RunLine]) -> None:
    width = max(len(line.info.id) for line in lines)
    for line in lines:
        say(_text(line, width))


def _text(line: RunLine, width: int) -> str:
    """One run: id, state, steps and results."""
    run = line.info
    parts = [run.id.ljust(width), run.state.ljust(9), (f"{run.step:,} of {run.of:,}" if run.of else "").ljust(14)]
    parts += [f"best eval {significant(line.best_eval)}"] if line.best_eval is not None else []
    if line.adapter is not None and run.step is not None and line.adapter.step < run.step:
        parts.append(f"adapter from step {line.adapter.step:,}")
    parts += [duration(line.seconds)] if line.seconds is not None else []
    parts += [gib(line.memory)] if line.memory else []
    parts += [line.verdict] if line.verdict else []
    parts += [f"read-only: {run.read_only}"] if run.read_only else []
    return "  ".join(parts).rstrip()
