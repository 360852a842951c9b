"""Delete a run that has ended, with its checkpoints and weights.

It says what will be deleted and asks. A run that is only linked here stays where it is: the link alone is deleted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from tui.commands.exit_codes import EXIT_OK
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.jobs.remove import FolderContents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="Id, part of an id, or folder of the run.")
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder that holds `runs/` (default: the current one).",
    )
    parser.add_argument("--yes", action="store_true", help="Do not ask; needed where there is no terminal.")
    parser.add_argument("--json", action="store_true", help="Print id, folder and freed bytes as one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Ask, delete, and say what was freed."""
    from core.jobs.remove import contents, refuse_to_remove, remove
    from core.runs.pipeline_queue import need_words
    from core.units import size
    from tui.commands.which_run import which_run

    folder = which_run(arguments)
    refuse_to_remove(folder)
    found, needed = contents(folder), need_words(folder)
    if not arguments.yes:
        if arguments.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise BadInput("There is no terminal to ask on", where=folder.id, do="Pass --yes to delete without asking")
        say(f"{_what(folder.id, found)} {needed}".rstrip())
        if not _agreed():
            say("Nothing was deleted.")
            return EXIT_OK
    path = folder.path
    remove(folder)
    if arguments.json:
        print_json({"id": folder.id, "folder": str(path), "freed_bytes": found.bytes})
        return EXIT_OK
    if arguments.yes and needed:
        say(needed)
    if found.link is not None:
        say(f"Deleted the link {folder.id}. The run stays in {found.link}.")
    else:
        say(f"Deleted {folder.id} and freed {size(found.bytes)}.")
    return EXIT_OK


def _agreed() -> bool:
    try:
        return input("Delete it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        say()
        return False


def _what(name: str, found: FolderContents) -> str:
    from core.units import size

    if found.link is not None:
        return f"{name} is a link. Only the link will be deleted; the run stays in {found.link}."
    return f"{name}: {size(found.bytes)} will be deleted permanently: {', '.join(found.words())}."
