"""Check a dataset: its format, malformed lines by number, and flagged rows.

The exit code is 2 if the rows have no known format. In a workspace (a folder with `.tunedeck`), --near also saves its
result for the Duplicates screen; anywhere else, nothing is written.
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
from tui.commands.count_tokens import add_model_arguments, count_tokens, recipe_to_count
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.scan.scan import ScanResult
    from core.jobs.derived import Derived


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "data",
        nargs="+",
        metavar="FILE",
        help="Data files, folders of them, a Hub dataset ID (org/name), or - for standard input.",
    )
    parser.add_argument(
        "--eval",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="Separate eval file, checked for leaks; can be repeated.",
    )
    parser.add_argument(
        "--near",
        type=float,
        nargs="?",
        const=0.8,
        metavar="SIMILARITY",
        help="Find near-duplicates, at least this similar (0.5 to 1; default 0.8).",
    )
    parser.add_argument(
        "--keep", choices=KEEPS, default="first", help="Which of the near-duplicates to keep (default: first)."
    )
    parser.add_argument(
        "--fields",
        choices=FIELDS,
        default="all",
        help="What --near compares: all turns (default), prompt or answer, without shared text; or the whole text.",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="Processes for --near (default: 1; does not change the result).",
    )
    parser.add_argument("--format", default="auto", help="Row format (default: detected from the rows).")
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="Map a field to a column: messages=talk, or b.jsonl:messages=talk for one file of several.",
    )
    add_encoding_argument(parser)
    add_eval_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="Print one JSON object: rows, format, unused, bad_lines, flags; with --near also clusters.",
    )
    parser.add_argument(
        "--rows",
        action="store_true",
        help="With --json, also list each flagged row, and with --eval each leak; rows count from 1 in their file.",
    )


def add_encoding_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the encoding of files that are not UTF-8."""
    parser.add_argument(
        "--encoding",
        default="",
        metavar="NAME",
        help="Encoding of files that are not UTF-8, such as cp1252; valid UTF-8 lines are still read as UTF-8.",
    )


def add_eval_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the eval file is read, where it differs."""
    parser.add_argument(
        "--eval-format", default="auto", metavar="FORMAT", help="Format of the eval file (default: detected)."
    )
    parser.add_argument(
        "--eval-columns",
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="Like --columns, for the eval file: prompt=question.",
    )


def eval_settings(arguments: argparse.Namespace) -> list[str]:
    """The arguments of `add_eval_arguments` as those of `--set`.

    Raises:
        BadInput: one of them has no `=`.
    """
    columns = columns_of(arguments.eval_columns, "--eval-columns") or {}
    said = ", ".join(f"{name}={column}" for name, column in columns.items())
    return [f"data.eval_format={arguments.eval_format}"] * (arguments.eval_format != "auto") + [
        f"data.eval_columns={said}"
    ] * bool(said)


def run(arguments: argparse.Namespace) -> int:
    """Scan and print; exit code 2 where the rows have no format that can be trained on."""
    from core.dataset.audit.store import read_ledger
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen, saved
    from core.dataset.near.result import NearOptions
    from core.dataset.scan.derive import scan_payload
    from core.dataset.scan.near_searches import search_job
    from core.dataset.scan.scan import scan
    from tui.commands.data_paths import data_paths
    from tui.commands.exit_codes import EXIT_BAD_INPUT, EXIT_OK
    from tui.commands.output import print_json_lists
    from tui.commands.scan_lines import near_lines, scan_lines
    from tui.commands.scan_rows import FlagSpool, row_lists
    from tui.commands.scan_tokens import token_lines, with_tokens
    from tui.commands.scratch import reading_workspace

    live = sys.stderr.isatty() and not arguments.json
    phase = "scanning"

    def entered(name: str) -> None:
        nonlocal phase
        phase = name

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{phase} {done / max(of, 1):4.0%}  {done:,} of {of:,}")
            sys.stderr.flush()

    if arguments.rows and not arguments.json:
        raise BadInput("--rows works only with --json", do="Add --json")
    recipe = recipe_to_count(arguments)
    paths = data_paths(arguments.data, Path.cwd(), piped_into=reading_workspace)
    said = Chosen(arguments.format, columns_of(arguments.columns, encoding=arguments.encoding) or {})
    opened = Dataset.open_as_said(paths, said, Path.cwd())
    chosen = opened.chosen
    said = Chosen(arguments.eval_format, columns_of(arguments.eval_columns, "--eval-columns") or {})
    if said.said and not arguments.eval:
        raise BadInput("--eval-columns and --eval-format work only with --eval", do="Name the eval file with --eval")
    held = said if said.said or not arguments.eval else saved(Path.cwd(), arguments.eval)
    opened.check_mapping(*([opened.open_eval(arguments.eval, held)] if arguments.eval else []))
    near = search = None
    apart: Collection[tuple[str, str]] = ()
    if arguments.near is not None:
        near = NearOptions(arguments.near, arguments.keep, arguments.fields, arguments.processes)
        apart = read_ledger(Path.cwd()).apart()
        if hidden_dir(Path.cwd()).is_dir():
            payload = scan_payload(opened, chosen.format, chosen.columns, arguments.eval, held.format, held.columns)
            search = search_job(Path.cwd(), opened, payload, near, apart)
    with FlagSpool() as spool:
        found = scan(
            paths,
            format=chosen.named,
            columns=chosen.columns,
            eval_paths=arguments.eval,
            eval_chosen=held,
            near=near,
            apart=apart,
            on_progress=progress,
            on_phase=entered,
            found=spool.add if arguments.rows else _not_kept,
        )
        if live:
            sys.stderr.write("\r\x1b[K")
        if search is not None:
            _keep(search, found)
        counted = None
        if recipe is not None and found.format.known:
            entered("counting tokens")
            counted = count_tokens(opened, recipe, reading_workspace(), progress)
            if live:
                sys.stderr.write("\r\x1b[K")
        found, tokens = with_tokens(found, opened, Path.cwd(), spool, counted)
        # Rows of no known format cannot be trained on.
        code = EXIT_OK if found.format.known else EXIT_BAD_INPUT
        if arguments.rows:
            print_json_lists({**found.to_json(), **tokens}, row_lists(spool, found, of_eval=bool(arguments.eval)))
            return code
    if arguments.json:
        print_json({**found.to_json(), **tokens})
        return code
    for line in scan_lines(found):
        say(line)
    for line in token_lines(tokens, plain_text=found.format.kind == "text") if found.format.known else ():
        say(line)
    if found.near is not None:
        dataset = Dataset.open(paths, chosen.named, chosen.columns)
        for line in near_lines(found, dataset):
            say(line)
    return code


def _not_kept(row: int, flags: tuple[Flag, ...]) -> None:
    """For a scan whose flags are only counted."""


def _keep(search: Derived, found: ScanResult) -> None:
    """Save the result; where that fails, it is still printed."""
    from core.dataset.scan.near_searches import keep_search

    try:
        keep_search(search, found)
    except (OSError, TunedeckError) as fault:
        print(clean(f"Not saved for the Duplicates screen: {fault}"), file=sys.stderr)


def columns_of(pairs: list[str], option: str = "--columns", *, encoding: str = "") -> dict[str, str] | None:
    """The column mapping of `--columns NAME=COLUMN` options, None where there is none.

    Args:
        pairs: what was given.
        option: what the option is called.
        encoding: of `--encoding`, which is kept with the mapping.

    Raises:
        BadInput: one of them has no `=`.
    """
    from core.dataset.mapping import ENCODING

    wrong = next((pair for pair in pairs if "=" not in pair), None)
    if wrong is not None:
        raise BadInput(f"Expected NAME=COLUMN, got {wrong!r}", where=option, do=f"For example {option} messages=talk")
    said = {name.strip(): column.strip() for name, _, column in (pair.partition("=") for pair in pairs)}
    return ({**said, ENCODING: encoding} if encoding else said) or None
