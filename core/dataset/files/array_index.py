"""From the bytes of one JSON value to the offsets of its rows, without building the value.

Rows are the elements of a top-level array; of the first array of objects in a top-level object; or the values of a
top-level object whose values are objects (keyed by id).
"""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_right

from core.dataset.files.streams import ByteStream

_CHUNK = 2**16
GRAIN = 2**13
"""Bytes of the pieces by which line ends are counted."""

# Skips whole strings and everything that is no bracket at C speed; possessive, so that it never backtracks. A line end
# closes a string too: no JSON string holds one, so a quote that is never closed spoils its own line and not the rest.
_STRING = rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+["\n]'
_BETWEEN_ROWS = re.compile(rb'[^"\[\]{},]*+(?:' + _STRING + rb'[^"\[\]{},]*+)*+', re.S)
_IN_ROW = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+', re.S)
# As above, past the innermost lists and objects as well: nothing in them says where a row ends.
_REST = rb'[^"\[\]{}]*+'
_INNERMOST = rb"[\[{]" + _REST + rb"(?:" + _STRING + _REST + rb")*+[\]}]"
_DEEP_IN_ROW = re.compile(_REST + rb"(?:(?:" + _STRING + rb"|" + _INNERMOST + rb")" + _REST + rb")*+", re.S)
_STRING_REST = re.compile(rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+', re.S)
_TRAILING_BACKSLASHES = re.compile(rb"\\*\Z")
_QUOTE, _COMMA, _OPEN_LIST, _CLOSE_LIST = 0x22, 0x2C, 0x5B, 0x5D
_OPENING = b"[{"
_MOST_RESTARTS = 20
_DEEPEST = 10_000
"""Brackets in brackets beyond which a row is given up: each takes a microsecond, and none so deep is read."""
_KEYED_SURE = 16
"""Objects under a top-level object after which an array among them no longer changes what the rows are."""


class ArrayIndex:
    """Where each row of a JSON document begins and ends; 16 bytes a row.

    Args:
        stream: the bytes.
        start: offset of the document's first bracket.
        sequence: the file is no document but objects one after the other, over several lines each (`jq` writes such):
            each is a row.
    """

    def __init__(self, stream: ByteStream, start: int = 0, *, sequence: bool = False) -> None:
        self._sequence = sequence
        self._stream = stream
        self._starts = array("Q")
        self._ends = array("Q")
        self._line_counts = array("Q", [0])  # line ends before each grain
        self._grain_starts = array("Q", [start])
        self._at = start
        self._in_string = False
        self._escaped = False
        self._depth = 0
        self._row_depth = -1 if sequence else 0  # depth at which rows stand: 0 not known yet, -1 all read
        self._open_at = -1  # offset of the row that is open
        self._list_at = -1  # offset after the "[" that may turn out to hold the rows
        self._restarts = 0
        self.count = 0
        self.complete = False
        self.end_of_value = -1
        """Offset after the document's last bracket, once it was seen."""
        self.torn = False
        """Whether the document ends before its last bracket closes."""
        self.too_deep = False
        """Whether the last row nests so deep that the search for its end, and for rows after it, was given up."""
        self.other_arrays = 0
        """Further arrays of objects beside the one that is read."""

    @property
    def keyed(self) -> bool:
        """Whether the rows are the values of an object."""
        return self._row_depth == 0

    @property
    def settled(self) -> bool:
        """Whether it is certain what the rows are."""
        return self.complete or self._row_depth != 0 or self.count > _KEYED_SURE

    @property
    def end(self) -> int:
        """Bytes scanned so far."""
        return self._at

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds (None: to the end); returns whether all is known."""
        deadline = None if budget is None else time.perf_counter() + budget
        while not self.complete:
            chunk = self._stream.read(self._at, _CHUNK)
            if not chunk:
                self._end()
                continue
            if self._at >= self._grain_starts[-1]:
                self._count_lines(chunk)
            self._scan(chunk)
            self._at += len(chunk)
            if self._depth > _DEEPEST:
                self._end()
                self.too_deep = self.complete
            if deadline is not None and time.perf_counter() >= deadline:
                break
        return self.complete

    def span(self, entry: int) -> tuple[int, int, int]:
        """Offset of the row's first byte, offset after its last, and its first line from 1."""
        start = self._starts[entry]
        return start, self._ends[entry], self.line(start)

    def bounds(self, entry: int) -> tuple[int, int]:
        """As `span` without the line, which may have to be read."""
        return self._starts[entry], self._ends[entry]

    def line(self, offset: int) -> int:
        """The line, from 1, of a byte."""
        grain = bisect_right(self._grain_starts, offset) - 1
        begin = self._grain_starts[grain]
        before = self._stream.read(begin, offset - begin).count(b"\n")
        return self._line_counts[grain] + before + 1

    def _count_lines(self, chunk: bytes) -> None:
        for begin in range(0, len(chunk), GRAIN):
            end = min(begin + GRAIN, len(chunk))
            self._grain_starts.append(self._at + end)
            self._line_counts.append(self._line_counts[-1] + chunk.count(b"\n", begin, end))

    def _scan(self, chunk: bytes) -> None:
        position = self._finish_string(chunk) if self._in_string else 0
        while position < len(chunk) and not self.complete and self._depth <= _DEEPEST:
            pattern = _BETWEEN_ROWS if self._depth == self._row_depth else _IN_ROW
            if self._depth > max(self._row_depth, 0) and (self._sequence or self._row_depth > 0):
                pattern = _DEEP_IN_ROW
            found = pattern.match(chunk, position)
            assert found is not None  # each of them matches the empty string
            position = found.end()
            if position == len(chunk):
                return
            byte = chunk[position]
            if byte == _QUOTE:
                self._in_string = True
                self._note_escape(chunk, position + 1)
                return
            self._mark(byte, self._at + position)
            position += 1

    def _finish_string(self, chunk: bytes) -> int:
        """The place after the string that the previous chunk left open."""
        start = 1 if self._escaped else 0
        found = _STRING_REST.match(chunk, start)
        assert found is not None
        end = found.end()
        if end < len(chunk) and chunk[end] != 0x5C:
            self._in_string = self._escaped = False
            return end + 1
        self._note_escape(chunk, start)
        return len(chunk)

    def _note_escape(self, chunk: bytes, start: int) -> None:
        """Whether the chunk, inside a string from `start`, ends between a backslash and what it escapes."""
        found = _TRAILING_BACKSLASHES.search(chunk, max(start, len(chunk) - 4_096))
        self._escaped = found is not None and len(found.group()) % 2 == 1

    def _mark(self, byte: int, offset: int) -> None:
        """Takes one bracket, or one comma between rows."""
        if byte == _COMMA:
            if self._row_depth > 0:
                self._close(offset)
                self._open_at = offset + 1
        elif byte in _OPENING:
            self._depth += 1
            self._enter(byte, offset)
        else:
            if self._depth == self._row_depth:
                if byte != _CLOSE_LIST:
                    return  # a row closed one bracket too many; the list continues
                self._close(offset)
                self._row_depth = -1
            self._depth -= 1
            if self._row_depth == 0 and self._depth == 1:
                self._close(offset + 1)
            if self._depth <= 0:
                self._end_value(offset + 1)

    def _end_value(self, end: int) -> None:
        """The outermost bracket has closed."""
        self.end_of_value = end
        if self._sequence:
            self._depth = 0
            self._close(end)
        else:
            self.complete = True

    def _enter(self, byte: int, offset: int) -> None:
        if self._sequence:
            if self._depth == 1:
                self._open_at = offset
        elif self._depth == 1 and byte == _OPEN_LIST:
            self._row_depth = 1
            self._open_at = offset + 1
        elif self._depth == 2 and self._row_depth <= 0:
            if byte == _OPEN_LIST:
                self._list_at = offset + 1
            elif self._row_depth == 0:
                self._open_at = offset
        elif self._depth == 3 and self._list_at >= 0 and byte != _OPEN_LIST:
            self._enter_list(offset)
            self._list_at = -1

    def _enter_list(self, offset: int) -> None:
        """An object stands in a list of a top-level object: the first such list holds the rows."""
        if self._stream.read(self._list_at, offset - self._list_at).strip():
            return
        if self._row_depth == 0 and self.count <= _KEYED_SURE:
            del self._starts[:], self._ends[:]
            self.count = 0
            self._row_depth = 2
            self._open_at = self._list_at
        else:
            self.other_arrays += 1

    def _close(self, end: int) -> None:
        """Ends the open row; nothing but spaces between two commas is none."""
        start, self._open_at = self._open_at, -1
        if start < 0 or (end - start < 64 and not self._stream.read(start, end - start).strip()):
            return
        self._starts.append(start)
        self._ends.append(end)
        self.count += 1

    def _end(self) -> None:
        """The file is at its end. Where a row's brackets never closed, reading continues at the row after it."""
        if self._depth > 0 and self._row_depth > 0 and self._open_at >= 0 and self._restarts < _MOST_RESTARTS:
            following = self._following_row(self._open_at)
            if following >= 0:
                self._restarts += 1
                self._close(following)
                self._open_at = self._at = following
                self._depth = self._row_depth
                self._in_string = self._escaped = False
                return
        self.torn = self._depth > 0
        if self.torn and self._open_at >= 0:
            self._close(self._at)
        self.complete = True

    def _following_row(self, start: int) -> int:
        """Offset of the next line that begins as the row at `start` does, or -1; rows on one line give no hold."""
        head = self._stream.read(start, 4_096)
        spaces = head[: len(head) - len(head.lstrip())]
        line = spaces.rfind(b"\n")
        if line < 0:
            return -1
        begins = spaces[line:] + head[len(spaces) : len(spaces) + 1]
        at = start + len(spaces) + 1
        while chunk := self._stream.read(at, _CHUNK):
            found = chunk.find(begins)
            if found >= 0:
                return at + found
            if len(chunk) <= len(begins):
                return -1
            at += len(chunk) - len(begins)
        return -1
