"""What a scan job has found so far, read from its folder a bounded piece at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.checks import Flag
from core.dataset.flag_names import flag_counts
from core.dataset.near.result import Cluster, Leak
from core.dataset.records import BadLine
from core.dataset.scan.keys import KEY_BYTES, unpack
from core.dataset.scan.results import CLUSTERS, LEAKS, SCAN_FOLDER
from core.jobs import files
from core.jobs.tail import Tail, objects, parser

_PIECE = 2_000


@dataclass(frozen=True, slots=True)
class ScanUpdate:
    """What is new since the last poll.

    Attributes:
        flags: good row to its further flags.
        bad: entry number and place of further bad lines, ascending.
        more: whether more waits to be read now.
    """

    flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict)
    bad: tuple[tuple[int, BadLine], ...] = ()
    more: bool = False


class ScanReader:
    """Follows the results of one scan.

    Args:
        folder: the job's folder, which need not hold results yet.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder) / SCAN_FOLDER
        self._flags = Tail(self.folder / "flags.jsonl")
        self._bad = Tail(self.folder / "bad.jsonl")
        self._keys = self.folder / "keys.bin"
        self._parse = parser()

    def poll(self) -> ScanUpdate:
        """Reads on; at most some thousand rows a call."""
        flags: dict[int, tuple[Flag, ...]] = {}
        for record in objects(self._flags.read(_PIECE), self._parse):
            found = tuple(Flag.from_json(flag) for flag in record["flags"])
            flags[record["row"]] = flags.get(record["row"], ()) + found
        bad = tuple(
            (record["entry"], BadLine(Path(record["file"]), record["line"], record["reason"]))
            for record in objects(self._bad.read(_PIECE), self._parse)
        )
        return ScanUpdate(flags, bad, more=bool(self._flags.behind or self._bad.behind))

    def summary(self) -> dict[str, Any] | None:
        """The last summary: as `scan --json`, with `entries` and `complete`; None before there is one."""
        found = files.read_json(os.fspath(self.folder / "summary.json"))
        return found and {**found, "flags": flag_counts(found.get("flags") or {})}

    def clusters(self) -> list[Cluster] | None:
        """The near-duplicates, the largest cluster first; None while they are not known."""
        summary = self.summary()
        if summary is None or not summary["complete"] or "near" not in summary:
            return None
        with (self.folder / CLUSTERS).open("rb") as lines:
            return [Cluster.from_json(self._parse(line)) for line in lines]

    def leaks(self) -> list[Leak]:
        """The near leaks to the eval files, once `clusters` are known."""
        with (self.folder / LEAKS).open("rb") as lines:
            return [Leak.from_json(self._parse(line)) for line in lines]

    @property
    def keyed_rows(self) -> int:
        """How many good rows have their key on disk."""
        try:
            return self._keys.stat().st_size // KEY_BYTES
        except OSError:
            return 0

    def key(self, row: int) -> str | None:
        """The key of a good row, or None where the scan has not come to it."""
        try:
            with self._keys.open("rb") as file:
                packed = os.pread(file.fileno(), KEY_BYTES, row * KEY_BYTES)
        except OSError:
            return None
        return unpack(packed) if len(packed) == KEY_BYTES else None

    def keys(self, rows: Iterable[int]) -> dict[int, str]:
        """The keys of some good rows, as far as the scan has come to them."""
        found = {}
        try:
            with self._keys.open("rb") as file:
                for row in rows:
                    packed = os.pread(file.fileno(), KEY_BYTES, row * KEY_BYTES)
                    if len(packed) == KEY_BYTES:
                        found[row] = unpack(packed)
        except OSError:
            return {}
        return found

    def packed_keys(self, first: int, last: int) -> bytes:
        """The keys of the good rows from `first` up to but not including `last`, packed, as far as there are any."""
        try:
            with self._keys.open("rb") as file:
                return os.pread(file.fileno(), (last - first) * KEY_BYTES, first * KEY_BYTES)
        except OSError:
            return b""
