"""Reads what was appended to a file since the last time, a bounded piece at a time."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from typing import Any

CHUNK = 1 << 20
"""Bytes that are read at once."""
LONGEST_RECORD = 1 << 24
LONGEST_LOG_LINE = 1 << 16
"""A line that has no end after so many bytes comes in pieces: a record is lost by that, a progress bar is not."""

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Tail:
    """The lines of a growing file, each once.

    A line without its end is not there yet: it is read again next time. A file that was replaced or cut short is read
    from its start; `restarts` counts how often that was.

    Args:
        path: the file, which need not exist yet.
        last_bytes: begin so many bytes before the end, at a line's start; None for the whole file.
        longest: bytes after which a line without an end is given out in pieces.
    """

    def __init__(
        self, path: str | os.PathLike[str], last_bytes: int | None = None, *, longest: int = LONGEST_RECORD
    ) -> None:
        self.path = os.fspath(path)
        self.offset = 0
        self.skipped = 0
        self.restarts = 0
        self.behind = 0
        self._inode: int | None = None
        self._last_bytes = last_bytes
        self._longest = longest
        self._wanted = CHUNK
        self._lines: list[bytes] = []

    def read(self, most: int) -> list[bytes]:
        """At most so many of the lines that are new, without their ends. `behind` tells how many bytes wait."""
        if not self._lines:
            self._fill()
        lines, self._lines = self._lines[:most], self._lines[most:]
        if self._lines:
            self.behind = max(1, self.behind)
        return lines

    def _fill(self) -> None:
        self.behind = 0
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            found = os.fstat(descriptor)
            self._notice(found)
            if found.st_size <= self.offset:
                return
            data = os.pread(descriptor, self._wanted, self.offset)
        except OSError:
            return
        finally:
            os.close(descriptor)
        end = data.rfind(b"\n") + 1
        cut = len(data) == self._wanted
        if end:
            self._lines = data[: end - 1].split(b"\n")
            if self.skipped and self.offset == self.skipped:
                del self._lines[0]  # the file was entered in the middle of this one
            self.offset += end
            self._wanted = CHUNK
        elif len(data) >= self._longest:
            self._lines = [data]
            self.offset += len(data)
            self._wanted = CHUNK
        elif cut:
            self._wanted *= 4
        self.behind = found.st_size - self.offset if cut else 0

    def _notice(self, found: os.stat_result) -> None:
        if self._inode is None:
            self._inode = found.st_ino
            if self._last_bytes is not None and found.st_size > self._last_bytes:
                self.offset = self.skipped = found.st_size - self._last_bytes
        elif found.st_ino != self._inode or found.st_size < self.offset:
            self._inode = found.st_ino
            self.offset = self.skipped = 0
            self.restarts += 1


def parser() -> Callable[[bytes], Any]:
    """The fastest JSON parser that is installed; the standard library's where there is no other."""
    try:
        import orjson
    except ImportError:
        return json.loads
    parse: Callable[[bytes], Any] = orjson.loads
    return parse


def objects(lines: list[bytes], parse: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """The JSON objects in lines; a line that is none (cut short by a full disk) is left out."""
    try:
        # One call for all of them costs half as much. A line cut short makes the whole no JSON.
        values = parse(b"[" + b",".join(lines) + b"]")
    except ValueError:
        values = []
    if len(values) == len(lines) and set(map(type, values)) <= {dict}:
        whole: list[dict[str, Any]] = values
        return whole
    found = []
    for line in lines:
        try:
            value = parse(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def with_numbers(record: dict[str, Any]) -> dict[str, Any]:
    """A metric record with `"nan"`, `"inf"` and `"-inf"` turned back into the numbers that they stand for."""
    if str in map(type, record.values()):
        for key, value in record.items():
            if isinstance(value, str) and value in _NOT_FINITE:
                record[key] = _NOT_FINITE[value]
    return record
