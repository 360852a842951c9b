"""Write the curated dataset, without dropped rows, for other programs and services.

Rows are held out only with --held-out, --eval or a recipe; they and the rejected rows go into separate files next to
it. Nothing is ever overwritten.
"""

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
    add_data_arguments(parser, held_out="none")
    parser.add_argument(
        "--to", choices=_FORMS, default="jsonl", help="Format: jsonl (default), parquet, or openai for hosted services."
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="PATH", help="File to write; an existing file is not overwritten."
    )
    parser.add_argument(
        "--keep-columns", action="store_true", help="Also write the source columns that are not part of the samples."
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object: paths, samples, rejects, warnings.")


def run(arguments: argparse.Namespace) -> int:
    """Curate and write."""
    from core.dataset.write.write import export_view

    live = sys.stderr.isatty() and not arguments.json
    if arguments.out.exists():
        raise BadInput(
            "It already exists and was not overwritten", where=str(arguments.out), do="Choose another file with --out"
        )

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{done / max(of, 1):4.0%}  {done:,} of {of:,}")
            sys.stderr.flush()

    view = view_of(recipe_of(arguments, hold_out=False), progress)
    if live:
        sys.stderr.write("\r\x1b[K")
    exported = export_view(view, arguments.to, arguments.out, keep_columns=arguments.keep_columns)
    if arguments.json:
        print_json({**exported.to_json(), "notes": view.manifest["notes"]})
        return 0
    say(f"{exported.samples:,} samples  {exported.path}")
    if exported.eval_path is not None:
        say(f"{exported.eval_samples:,} held out  {exported.eval_path}")
    total = sum(exported.rejects.values())
    why = ", ".join(f"{name} {number:,}" for name, number in sorted(exported.rejects.items()))
    say(f"{total:,} dropped{f' ({why})' if why else ''}  {exported.rejects_path}")
    for sentence in (*view.manifest["notes"], *exported.warnings):
        say(sentence)
    return 0
