"""Look a data set over: its format and why, bad lines by number, and what deserves a look."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.near.result import FIELDS, KEEPS, percent
from core.errors import BadInput
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.scan import ScanResult

_CLUSTERS = 5
_ROWS = 4
_PREVIEW = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", nargs="+", type=Path, metavar="FILE", help="data files or folders of them")
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
    """Scan and print."""
    from core.dataset.audit import read_ledger
    from core.dataset.dataset import Dataset
    from core.dataset.near.result import NearOptions
    from core.dataset.scan import scan

    live = sys.stderr.isatty() and not arguments.json
    phase = "scanning"

    def entered(name: str) -> None:
        nonlocal phase
        phase = name

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{phase} {done / max(of, 1):4.0%}  {done:,} of {of:,}")
            sys.stderr.flush()

    named = None if arguments.format == "auto" else arguments.format
    columns = columns_of(arguments.columns)
    near = None
    if arguments.near is not None:
        near = NearOptions(arguments.near, arguments.keep, arguments.fields, arguments.processes)
    found = scan(
        arguments.data,
        format=named,
        columns=columns,
        eval_paths=arguments.eval,
        near=near,
        apart=read_ledger(Path.cwd()).apart() if near else (),
        on_progress=progress,
        on_phase=entered,
    )
    if live:
        sys.stderr.write("\r\x1b[K")
    if arguments.json:
        print_json(found.to_json())
        return 0
    for line in scan_lines(found.to_json()):
        say(line)
    if found.near is not None:
        dataset = Dataset.open(arguments.data, named, columns)
        for line in near_lines(found, dataset):
            say(line)
    return 0


def columns_of(pairs: list[str]) -> dict[str, str] | None:
    """The column mapping of `--columns NAME=COLUMN` options, None where there is none.

    Raises:
        BadInput: one of them has no `=`.
    """
    wrong = next((pair for pair in pairs if "=" not in pair), None)
    if wrong is not None:
        raise BadInput(f"{wrong!r} names no column", where="--columns", do="Write it like messages=talk")
    return {name.strip(): column.strip() for name, _, column in (pair.partition("=") for pair in pairs)} or None


def near_lines(found: ScanResult, dataset: Dataset) -> list[str]:
    """The near-duplicates as lines of text: the numbers, then the largest clusters with their rows."""
    from core.dataset.index import GoodRows

    near = found.near
    if near is None:
        return []
    dropped = sum(len(cluster.drop) for cluster in near.clusters)
    lines = [
        f"near-duplicates at {near.options.threshold:.0%}: {len(near.clusters):,} clusters; "
        f"{dropped:,} rows can go, each because of a row that stays"
    ]
    lines += [f"  left out before comparing: {said}" for said in near.left_out]
    dataset.reader.extend()
    entries = GoodRows(list(found.bad_entries))
    for cluster in near.clusters[:_CLUSTERS]:
        lines.append(f"  {len(cluster.rows):,} rows, {cluster.kind}, from {percent(cluster.similarity)} alike")
        because = {drop.row: drop for drop in cluster.drop}
        for row in cluster.rows[:_ROWS]:
            drop = because.get(row)
            fate = "stays" if drop is None else f"{percent(drop.similarity)} of row {drop.because_of + 1:,}"
            preview = dataset.preview(entries.entry(row), _PREVIEW)
            lines.append(f"    row {row + 1:,}".ljust(18) + f"{fate}".ljust(20) + preview)
        if len(cluster.rows) > _ROWS:
            lines.append(f"    and {len(cluster.rows) - _ROWS:,} more")
    if len(near.clusters) > _CLUSTERS:
        lines.append(f"  and {len(near.clusters) - _CLUSTERS:,} smaller clusters (--json lists them all)")
    return lines


def scan_lines(facts: dict[str, object]) -> list[str]:
    """A scan's facts as lines of text."""
    bad, flags = facts["bad_lines"], facts["flags"]
    assert isinstance(bad, list)
    assert isinstance(flags, dict)
    lines = [f"{facts['rows']:,} rows of {facts['format']}: {facts['why']}"]
    if bad:
        lines.append(f"{len(bad):,} bad line{'s' * (len(bad) != 1)}, left out; the others load")
        lines.extend(f"  {entry['file']} line {entry['line']:,}: {entry['reason']}" for entry in bad[:20])
        if len(bad) > 20:
            lines.append(f"  and {len(bad) - 20:,} more (--json lists them all)")
    found = {name: number for name, number in flags.items() if number}
    if found:
        width = max(len(name) for name in found)
        lines.append("flags")
        lines.extend(f"  {name.ljust(width)}  {number:>7,}" for name, number in found.items())
    else:
        lines.append("no flags")
    return lines
