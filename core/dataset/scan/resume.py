"""What a scan that was stopped early has left, so that another resumes from there.

What was found of each row alone is taken as it stands in the folder. Checks that compare rows are shown the rows
again, in their order; a row is read and prepared for that, and nothing else is done with it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.flag_names import flag_name
from core.dataset.records import BadLine
from core.dataset.scan.keys import DIGEST_BYTES, KEY_BYTES
from core.jobs import files

FLAGS, BAD, KEYS, SUMMARY = "flags.jsonl", "bad.jsonl", "keys.bin", "summary.json"


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a scan had come.

    Attributes:
        entries: entries that were looked at, good and bad.
        rows: good rows among them.
        flags_bytes: what `flags.jsonl` had grown to.
        bad_bytes: what `bad.jsonl` had grown to.
        counts: check name to number of flags so far.
        bad: entry and place of each bad line.
        keys: packed keys of the good rows.
    """

    entries: int = 0
    rows: int = 0
    flags_bytes: int = 0
    bad_bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    bad: tuple[tuple[int, BadLine], ...] = ()
    keys: bytes = field(default=b"", repr=False)

    def digest(self, row: int) -> bytes:
        """The digest of a good row."""
        return self.keys[row * KEY_BYTES : row * KEY_BYTES + DIGEST_BYTES]

    def to_json(self) -> dict[str, int]:
        """As it stands in the summary; the rest is read from the files."""
        return {
            "entries": self.entries,
            "rows": self.rows,
            "flags_bytes": self.flags_bytes,
            "bad_bytes": self.bad_bytes,
        }


def was_begun(results: Path) -> bool:
    """Whether a scan that is over has left something to resume from."""
    return _place(results) is not None


def begun(results: Path) -> Begun:
    """Reads how far the scan had come, and cuts its files to that place.

    Args:
        results: the folder of its results.

    Returns:
        How far it had come; nothing at all where it cannot be resumed.
    """
    place = _place(results)
    sizes = {} if place is None else {FLAGS: place.flags_bytes, BAD: place.bad_bytes, KEYS: place.rows * KEY_BYTES}
    if place is None or not all(_cut(results / name, size) for name, size in sizes.items()):
        return Begun()
    try:
        counts = Counter(flag_name(flag["name"]) for line in _lines(results / FLAGS) for flag in line["flags"])
        bad = tuple(
            (line["entry"], BadLine(Path(line["file"]), line["line"], line["reason"])) for line in _lines(results / BAD)
        )
        keys = (results / KEYS).read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return Begun()
    if len(bad) + place.rows != place.entries:
        return Begun()
    return Begun(place.entries, place.rows, place.flags_bytes, place.bad_bytes, counts, bad, keys)


def _place(results: Path) -> Begun | None:
    summary: Mapping[str, Any] = files.read_json(os.fspath(results / SUMMARY)) or {}
    found = summary.get("begun")
    if summary.get("complete") or not isinstance(found, dict):
        return None
    try:
        entries, rows, flags_bytes, bad_bytes = (int(found[name]) for name in Begun().to_json())
    except (KeyError, TypeError, ValueError):
        return None
    fits = entries > 0 and min(rows, flags_bytes, bad_bytes) >= 0
    return Begun(entries, rows, flags_bytes, bad_bytes) if fits else None


def _cut(file: Path, size: int) -> bool:
    """Takes off what was written after the place was noted; False where less is there."""
    try:
        if file.stat().st_size < size:
            return False
        os.truncate(file, size)
    except OSError:
        return False
    return True


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]
