"""`scan --json --rows`: each flagged row with its flags, and each leak, however many there are."""

from __future__ import annotations

import heapq
import json
import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.clean import clean_line
from core.dataset.checks.base import Flag

if TYPE_CHECKING:
    from core.dataset.scan.scan import ScanResult

_KINDS = {"leak_exact": "exact", "leak_near": "near"}
_NAMES_ROWS = frozenset((
    "exact_duplicate", "normalized_duplicate", "near_duplicate", "same_template", "conflicting_answers",
))  # fmt: skip
_ROW = re.compile(r"\brow (\d[\d,]*)")
_AT_ONCE = 20_000
"""Flags that are held in memory before they are sorted and written."""


class FlagSpool:
    """Flags of rows on the disk. Use it as a context manager.

    The flags that a scan finds in passing come in the order of the rows; those that needed all rows come at its end, in
    any order, and are sorted a few at a time.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._last = -1
        self._late: list[tuple[int, list[dict[str, Any]]]] = []
        self._runs: list[IO[bytes]] = []

    def __enter__(self) -> FlagSpool:
        self._passing = self._run()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, row: int, flags: Iterable[Flag]) -> None:
        """Takes flags of a good row."""
        said = [flag.to_json() for flag in flags]
        if row >= self._last:
            self._last = row
            self._write(self._passing, row, said)
            return
        self._late.append((row, said))
        if len(self._late) >= _AT_ONCE:
            self._flush()

    def rows(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Each flagged row with its flags (`Flag.to_json`), ascending."""
        self._flush()
        merged = heapq.merge(*map(self._read, self._runs), key=lambda each: each[0])
        for row, parts in groupby(merged, key=lambda each: each[0]):
            yield row, [flag for _, flags in parts for flag in flags]

    def _flush(self) -> None:
        if self._late:
            file = self._run()
            for row, said in sorted(self._late, key=lambda each: each[0]):
                self._write(file, row, said)
            self._late.clear()

    def _run(self) -> IO[bytes]:
        # Not in `/tmp`, which is in memory on many machines.
        place = os.environ.get("TMPDIR") or "/var/tmp"
        self._runs.append(self._stack.enter_context(tempfile.TemporaryFile(dir=place)))  # noqa: SIM115
        return self._runs[-1]

    @staticmethod
    def _write(file: IO[bytes], row: int, flags: list[dict[str, Any]]) -> None:
        file.write(json.dumps([row, flags]).encode() + b"\n")

    @staticmethod
    def _read(file: IO[bytes]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        file.seek(0)
        for line in file:
            row, flags = json.loads(line)
            yield row, flags


def row_lists(spool: FlagSpool, found: ScanResult, *, of_eval: bool) -> Mapping[str, Iterator[dict[str, Any]]]:
    """What `--rows` adds to `scan --json`, to be printed one item after the other.

    Rows are counted from 1 within their file, malformed lines aside.

    Args:
        spool: the flags.
        found: of the same scan.
        of_eval: whether eval files were named.
    """
    place = RowPlaces(found)
    lists = {"flagged": _flagged(spool, place)}
    return {**lists, "leaks": _leaks(spool, place)} if of_eval else lists


def _flagged(spool: FlagSpool, place: RowPlaces) -> Iterator[dict[str, Any]]:
    for row, flags in spool.rows():
        said = [{"name": flag["name"], "reason": place.reason(flag)} for flag in flags]
        yield {**place.of(row), "flags": said}


def _leaks(spool: FlagSpool, place: RowPlaces) -> Iterator[dict[str, Any]]:
    for row, flags in spool.rows():
        for flag in flags:
            if flag["name"] in _KINDS and "eval_file" in flag:
                where = place.of(row)
                if not place.several:
                    del where["file"]
                held = {"eval_file": flag["eval_file"], "eval_line": flag["eval_line"]}
                yield {**where, "kind": _KINDS[flag["name"]], **held}


class RowPlaces:
    """Where rows stand: their file, and their number in it, malformed lines aside.

    Args:
        found: the scan that numbers the rows of all files in one order, from 0.
    """

    def __init__(self, found: ScanResult) -> None:
        self._files: Sequence[str] = [str(file) for file, _ in found.first_rows]
        self._firsts = [first for _, first in found.first_rows]

    @property
    def several(self) -> bool:
        """Whether rows come from several files."""
        return len(self._files) > 1

    def reason(self, flag: Mapping[str, Any]) -> str:
        """The reason of a flag; another row that it names is counted within its file, too."""
        said = str(flag["reason"])
        if not self.several or flag["name"] not in _NAMES_ROWS:
            return said

        def placed(found: re.Match[str]) -> str:
            where = self.of(int(found[1].replace(",", "")) - 1)
            return f"row {where['row']:,} of {where['file']}"

        return _ROW.sub(placed, said, count=1)

    def words(self, row: int) -> str:
        """`row 3`, and of which file where there are several."""
        where = self.of(row)
        return f"row {where['row']:,}" + (f" of {clean_line(Path(where['file']).name, 60)}" if self.several else "")

    def of(self, row: int) -> dict[str, Any]:
        """`file` and `row`, the latter from 1."""
        which = bisect_right(self._firsts, row) - 1
        return {"file": self._files[which], "row": row - self._firsts[which] + 1}
