"""Entries of several lines: CSV records whose cells hold line ends, and paragraphs of plain text."""

from __future__ import annotations

import io
import re
import time
from array import array
from typing import Protocol

from core.dataset.files.streams import ByteStream

_CHUNK = 2**18


class Joiner(Protocol):
    """Tells where an entry of several lines ends."""

    def feed(self, line: bytes) -> bool:
        """Whether an entry ends with this line."""

    def skips(self, line: bytes) -> bool:
        """Whether this line, standing between entries, belongs to none."""


class CsvRecords:
    """A record ends with the first line that closes every quote that it opened.

    Args:
        delimiter: one character.
    """

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter).encode()
        # A whole number of cells, then a cell that opens a quote and does not close it.
        self._opens = re.compile(
            rb'(?:(?:"(?:[^"]|"")*+"[^'
            + mark
            + rb"]*+|[^\""
            + mark
            + rb"][^"
            + mark
            + rb"]*+|)"
            + mark
            + rb')*+"(?:[^"]|"")*+\Z'
        )
        self._closes = re.compile(rb'(?:[^"]|"")*+"(?!")')
        self._open = False

    def feed(self, line: bytes) -> bool:
        """Whether the record ends with this line."""
        if self._open:
            closing = self._closes.match(line)
            if closing is None:
                return False
            # What follows the closing quote is read as the rest of a quoted cell.
            line = b'""' + line[closing.end() :]
        elif b'"' not in line:
            return True
        self._open = self._opens.match(line) is not None
        return not self._open

    def skips(self, line: bytes) -> bool:
        """Empty lines between records are none."""
        return not line.strip()


class Paragraphs:
    """A document of a plain text file ends at an empty line."""

    def feed(self, line: bytes) -> bool:
        """Whether the paragraph ended before this line."""
        return not line.strip()

    def skips(self, line: bytes) -> bool:
        """Empty lines between paragraphs are none."""
        return not line.strip()


class WholeText:
    """A file of plain text is one document."""

    def feed(self, line: bytes) -> bool:
        """Never: it ends with the file."""
        return False

    def skips(self, line: bytes) -> bool:
        """Empty lines before its first."""
        return not line.strip()


class BlockIndex:
    """Where each entry of several lines begins and ends; 20 bytes an entry. As `LineIndex` otherwise.

    Args:
        stream: the bytes.
        joiner: tells where an entry ends.
        start: offset of the first line (after a BOM).
    """

    def __init__(self, stream: ByteStream, joiner: Joiner, start: int = 0) -> None:
        self._stream = stream
        self._joiner = joiner
        self._starts = array("Q")
        self._ends = array("Q")
        self._lines = array("L")
        self._at = start
        self._rest = b""
        self._line = 0
        self._open_at: tuple[int, int] | None = None
        self.count = 0
        self.complete = False

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds (None: to the end); returns whether all is known."""
        deadline = None if budget is None else time.perf_counter() + budget
        while not self.complete:
            chunk = self._stream.read(self._at + len(self._rest), _CHUNK)
            lines = list(io.BytesIO(self._rest + chunk))
            self._rest = lines.pop() if chunk and lines and not lines[-1].endswith(b"\n") else b""
            for line in lines:
                self._take(line)
            if not chunk:
                self._close(self._at)
                self.complete = True
            if deadline is not None and time.perf_counter() >= deadline:
                break
        return self.complete

    def span(self, entry: int) -> tuple[int, int, int]:
        """Offset of the entry's first byte, offset after its last, and its first line from 1."""
        return self._starts[entry], self._ends[entry], self._lines[entry]

    def _take(self, line: bytes) -> None:
        self._line += 1
        begin = self._at
        self._at += len(line)
        if self._open_at is None:
            if self._joiner.skips(line):
                return
            self._open_at = (begin, self._line)
        if self._joiner.feed(line):
            self._close(self._at)

    def _close(self, end: int) -> None:
        if self._open_at is None:
            return
        start, line = self._open_at
        self._starts.append(start)
        self._ends.append(end)
        self._lines.append(line)
        self._open_at = None
        self.count += 1
