"""Look a data set over: its format and why, bad lines by number, and what deserves a look."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tui.commands.output import print_json, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", nargs="+", type=Path, metavar="FILE", help="data files or folders of them")
    parser.add_argument(
        "--eval", action="append", default=[], type=Path, metavar="FILE", help="a held-out file, checked for leaks"
    )
    parser.add_argument("--format", default="auto", help="read the rows as this format (default: recognise it)")
    parser.add_argument("--json", action="store_true", help="print one object: rows, format, bad_lines, flags")


def run(arguments: argparse.Namespace) -> int:
    """Scan and print."""
    from core.dataset.scan import scan

    live = sys.stderr.isatty() and not arguments.json

    def progress(done: float, rows: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[Kscanning {done:4.0%}  {rows:,} rows")
            sys.stderr.flush()

    found = scan(
        arguments.data,
        format=None if arguments.format == "auto" else arguments.format,
        eval_paths=arguments.eval,
        on_progress=progress,
    )
    if live:
        sys.stderr.write("\r\x1b[K")
    if arguments.json:
        print_json(found.to_json())
        return 0
    for line in scan_lines(found.to_json()):
        say(line)
    return 0


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
