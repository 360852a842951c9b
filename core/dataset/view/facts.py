"""What a scan knows of each row, kept beside a curated view, so that a run can be stamped with its audit's report.

The files are those of a scan job: `keys.bin`, `flags.jsonl`, `bad.jsonl` (see `core.dataset.scan.job`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from core.dataset.checks import Flag
from core.dataset.records import BadLine
from core.dataset.scan.keys import pack
from core.dataset.scan.scan import ScannedRow

KEYS, FLAGS, BAD = "keys.bin", "flags.jsonl", "bad.jsonl"


class ViewFactsWriter:
    """Writes the three files while rows are scanned.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> ViewFactsWriter:
        self._keys, self._flags = (self._folder / KEYS).open("wb"), (self._folder / FLAGS).open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._keys.close()
        self._flags.close()

    def row(self, scanned: ScannedRow) -> None:
        """The next good row."""
        self._keys.write(pack(scanned.digest, scanned.occurrence))
        if scanned.flags:
            self.flag(scanned.number, scanned.flags)

    def flag(self, row: int, flags: Sequence[Flag]) -> None:
        """Flags of a row; those of one row may come in parts."""
        _line(self._flags, {"row": row, "flags": [flag.to_json() for flag in flags]})

    def bad(self, lines: Iterable[tuple[int, BadLine]]) -> None:
        """The entries that could not be read, all at once."""
        with (self._folder / BAD).open("wb") as file:
            for entry, line in lines:
                _line(file, {"entry": entry, **line.to_json()})


def _line(file: BinaryIO, value: dict[str, Any]) -> None:
    file.write(json.dumps(value).encode() + b"\n")
