"""The files in which a scan leaves what it found, and how they are written; `core.dataset.scan.reader` reads them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from core.dataset.checks import Flag
from core.dataset.near.result import NearResult
from core.dataset.near.shared import Shared
from core.dataset.records import BadLine
from core.dataset.scan.resume import BAD, FLAGS, KEYS, SUMMARY
from core.dataset.scan.scan import ScanResult
from core.jobs import files

SCAN_FOLDER = "scan"
CLUSTERS, LEAKS, SHARED = "clusters.jsonl", "leaks.jsonl", "shared.json"


def write_flags(file: BinaryIO, row: int, flags: Sequence[Flag]) -> None:
    """Adds a good row's flags to `flags.jsonl`."""
    _line(file, {"row": row, "flags": [flag.to_json() for flag in flags]})


def write_bad(file: BinaryIO, entry: int, line: BadLine) -> None:
    """Adds an entry that cannot be read to `bad.jsonl`."""
    _line(file, {"entry": entry, **line.to_json()})


def write_near(out: Path, near: NearResult, shared: Shared) -> None:
    """Writes what a search for near-duplicates found, and what it left out of the texts."""
    with (out / CLUSTERS).open("wb") as clusters, (out / LEAKS).open("wb") as leaks:
        for cluster in near.clusters:
            _line(clusters, cluster.to_json())
        for leak in near.leaks:
            _line(leaks, leak.to_json())
    (out / SHARED).write_bytes(files.encode(shared.to_json()))


def write_summary(
    out: Path, result: ScanResult, entries: int, more: Mapping[str, Any], *, complete: bool = False
) -> None:
    """Replaces `summary.json`.

    Args:
        out: the folder of the results.
        result: rows, format, bad lines and flags.
        entries: how many there are, good and bad.
        more: `near`, or how far a scan that can be resumed has come.
        complete: whether this is the last summary.
    """
    found = {"unused_words": result.unused.words, "entries": entries, "complete": complete}
    summary = {**replace(result, near=None).to_json(), **found, **more}
    files.replace(os.fspath(out / SUMMARY), files.encode(summary), durable=complete)


def write_search(out: Path, result: ScanResult, checks: Collection[str]) -> None:
    """Writes what a scan in another process found, as a search for near-duplicates leaves it.

    Args:
        out: the folder of the results, created if need be.
        result: of a scan with `near`.
        checks: names of the checks that a search makes; flags of others are left out.
    """
    assert result.near is not None
    assert result.shared is not None
    bad_lines = tuple(replace(line, file=line.file.absolute()) for line in result.bad_lines)
    out.mkdir(exist_ok=True)
    (out / KEYS).write_bytes(result.keys)
    with (out / FLAGS).open("wb") as flags:
        for row, found in result.row_flags.items():
            wanted = [
                flag if flag.place is None else replace(flag, place=flag.place.absolute)
                for flag in found
                if flag.name in checks
            ]
            if wanted:
                write_flags(flags, row, wanted)
    with (out / BAD).open("wb") as bad:
        for entry, line in zip(result.bad_entries, bad_lines, strict=False):  # faults of whole files come last
            write_bad(bad, entry, line)
    leaks = (
        each if each.eval_place is None else replace(each, eval_place=each.eval_place.absolute)
        for each in result.near.leaks
    )
    write_near(out, replace(result.near, leaks=tuple(leaks)), result.shared)
    counts = {name: count for name, count in result.flags.items() if name in checks}
    entries = result.rows + len(result.bad_entries)
    more = {"unused_words": result.unused.words, "near": result.near.about()}
    visible = replace(result, bad_lines=bad_lines, flags=counts)
    write_summary(out, visible, entries, more, complete=True)


def _line(file: BinaryIO, value: dict[str, Any]) -> None:
    file.write(files.encode(value) + b"\n")
