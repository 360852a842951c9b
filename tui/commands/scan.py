"""Look a data set over: its format and why, bad lines by number, and what deserves a look.

In a workspace (a folder with `.tunedeck`), `--near` also keeps what it found, so that the Duplicates screen need not
search again. Anywhere else it leaves nothing behind: the command only reads, and must not turn the folder that it
happens to run in into a workspace.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean
from core.dataset.near.result import FIELDS, KEEPS
from core.errors import BadInput, TunedeckError
from core.paths import hidden_dir
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.dataset.scan.scan import ScanResult
    from core.jobs.derived import Derived


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "data", nargs="+", metavar="FILE", help="data files, folders, org/name of the hub, - for standard input"
    )
    parser.add_argument(
        "--eval", action="append", default=[], type=Path, metavar="FILE", help="a held-out file, checked for leaks"
    )
    parser.add_argument(
        "--near",
        type=float,
        nargs="?",
        const=0.8,
        metavar="SIMILARITY",
        help="find near-duplicates of at least this similarity (0.5 to 1; without a number 0.8)",
    )
    parser.add_argument(
        "--keep", choices=KEEPS, default="first", help="which of near-duplicates stays (default: first)"
    )
    parser.add_argument(
        "--fields",
        choices=FIELDS,
        default="all",
        help="what --near compares: all turns (default), prompt or answer, without what rows share; or the whole text",
    )
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="processes that --near uses (default: 1; same result)"
    )
    parser.add_argument("--format", default="auto", help="read the rows as this format (default: recognise it)")
    parser.add_argument(
        "--columns", action="append", default=[], metavar="NAME=COLUMN", help="which column holds what: messages=talk"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one object: rows, format, bad_lines, flags; with --near also clusters",
    )


def run(arguments: argparse.Namespace) -> int:
    """Scan and print; 2 where the rows are of no format that can be trained on."""
    from core.dataset.audit.store import read_ledger
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen
    from core.dataset.near.result import NearOptions
    from core.dataset.scan.near_searches import search_job
    from core.dataset.scan.scan import scan
    from tui.commands.data_paths import data_paths
    from tui.commands.output import EXIT_BAD_INPUT, EXIT_OK
    from tui.commands.scan_lines import near_lines, scan_lines
    from tui.commands.scan_tokens import with_tokens
    from tui.data.scan import scan_payload

    live = sys.stderr.isatty() and not arguments.json
    phase = "scanning"

    def entered(name: str) -> None:
        nonlocal phase
        phase = name

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{phase} {done / max(of, 1):4.0%}  {done:,} of {of:,}")
            sys.stderr.flush()

    paths = data_paths(arguments.data, Path.cwd())
    said = Chosen(arguments.format, columns_of(arguments.columns) or {})
    opened = Dataset.open_as_said(paths, said, Path.cwd())
    chosen = opened.chosen
    near = search = None
    apart: Collection[tuple[str, str]] = ()
    if arguments.near is not None:
        near = NearOptions(arguments.near, arguments.keep, arguments.fields, arguments.processes)
        apart = read_ledger(Path.cwd()).apart()
        if hidden_dir(Path.cwd()).is_dir():
            payload = scan_payload(opened, chosen.format, chosen.columns, arguments.eval)
            search = search_job(Path.cwd(), opened, payload, near, apart)
    found = scan(
        paths,
        format=chosen.named,
        columns=chosen.columns,
        eval_paths=arguments.eval,
        near=near,
        apart=apart,
        on_progress=progress,
        on_phase=entered,
    )
    if live:
        sys.stderr.write("\r\x1b[K")
    if search is not None:
        _keep(search, found)
    found, tokens = with_tokens(found, opened, Path.cwd())
    code = EXIT_OK if found.format.known else EXIT_BAD_INPUT  # rows of no known format cannot be trained on
    if arguments.json:
        print_json({**found.to_json(), **tokens})
        return code
    for line in scan_lines(found):
        say(line)
    if found.near is not None:
        dataset = Dataset.open(paths, chosen.named, chosen.columns)
        for line in near_lines(found, dataset):
            say(line)
    return code


def _keep(search: Derived, found: ScanResult) -> None:
    """Keep what was found; where that fails, it is still printed."""
    from core.dataset.scan.near_searches import keep_search

    try:
        keep_search(search, found)
    except (OSError, TunedeckError) as fault:
        print(clean(f"Not kept for the Duplicates screen: {fault}"), file=sys.stderr)


def columns_of(pairs: list[str]) -> dict[str, str] | None:
    """The column mapping of `--columns NAME=COLUMN` options, None where there is none.

    Raises:
        BadInput: one of them has no `=`.
    """
    wrong = next((pair for pair in pairs if "=" not in pair), None)
    if wrong is not None:
        raise BadInput(f"{wrong!r} names no column", where="--columns", do="Write it like messages=talk")
    return {name.strip(): column.strip() for name, _, column in (pair.partition("=") for pair in pairs)} or None
