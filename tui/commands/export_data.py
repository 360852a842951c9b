"""Write the curated set, without what was dropped, to a file that other programs and services take."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.errors import BadInput
from tui.commands.data_recipe import add_data_arguments, recipe_of, view_of
from tui.commands.output import print_json, say

_FORMS = ("jsonl", "parquet", "openai")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_data_arguments(parser)
    parser.add_argument(
        "--to", choices=_FORMS, default="jsonl", help="jsonl (default), parquet, or the JSONL of hosted services"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="the file to write; never written over")
    parser.add_argument("--json", action="store_true", help="print one object: paths, samples, rejects, warnings")


def run(arguments: argparse.Namespace) -> int:
    """Curate and write."""
    from core.dataset.write.write import export_view

    live = sys.stderr.isatty() and not arguments.json
    if arguments.out.exists():
        raise BadInput("this file is there already, and nothing is written over it", where=str(arguments.out))

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{done / max(of, 1):4.0%}  {done:,} of {of:,}")
            sys.stderr.flush()

    view = view_of(recipe_of(arguments), progress)
    if live:
        sys.stderr.write("\r\x1b[K")
    exported = export_view(view, arguments.to, arguments.out)
    if arguments.json:
        print_json({**exported.to_json(), "notes": view.manifest["notes"]})
        return 0
    say(f"{exported.samples:,} samples  {exported.path}")
    if exported.eval_path is not None:
        say(f"{exported.eval_samples:,} held out  {exported.eval_path}")
    total = sum(exported.rejects.values())
    why = ", ".join(f"{name} {number:,}" for name, number in sorted(exported.rejects.items()))
    say(f"{total:,} left out{f' ({why})' if why else ''}  {exported.rejects_path}")
    for sentence in (*view.manifest["notes"], *exported.warnings):
        say(sentence)
    return 0
