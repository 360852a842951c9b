"""The reader of JSON documents: an array of rows, or an object that holds one."""

from __future__ import annotations

from pathlib import Path

from core.dataset.files.array_index import GRAIN, ArrayIndex
from core.dataset.files.streams import ByteStream
from core.dataset.records import MAX_ROW_BYTES, BadLine, Row, Unreadable, parse_json, parse_object


class ArrayReader:
    """The objects of a JSON array; strings in it are rows of plain text.

    Args:
        sequence: the file holds objects one after the other, over several lines each.
    """

    def __init__(self, path: Path, stream: ByteStream, start: int = 0, *, sequence: bool = False) -> None:
        self._sequence = sequence
        self.files: tuple[Path, ...] = (path,)
        self._stream = stream
        self._index = ArrayIndex(stream, start, sequence=sequence)
        while not self._index.settled:
            self._index.extend(0)

    @property
    def container(self) -> str:
        """`JSON array`, `JSON objects`, or `JSON object keyed by id`."""
        if self._sequence:
            return "JSON objects"
        return "JSON object keyed by id" if self._index.keyed else "JSON array"

    @property
    def count(self) -> int:
        """Rows known so far."""
        return self._index.count

    @property
    def complete(self) -> bool:
        """Whether all rows are known."""
        return self._index.complete

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds."""
        return self._index.extend(budget)

    def size(self, entry: int) -> int:
        """Bytes of the element, spaces around it included."""
        start, end, _ = self._index.span(entry)
        return end - start

    def ready(self, entry: int) -> bool:
        """Whether its bytes, and those before it in which lines are counted, are at hand."""
        start, end = self._index.bounds(entry)
        before = max(0, start - GRAIN)
        return self._stream.ready(before, end - before)

    def row(self, entry: int) -> Row:
        """The parsed element, or why it could not be."""
        start, end, _ = self._index.span(entry)
        if end - start > MAX_ROW_BYTES:
            line = self._index.line(start)
            return Row(entry, self.files[0], line, error=f"an element over {MAX_ROW_BYTES >> 20} MiB")
        padded = self._stream.read(start, end - start)
        raw = padded.lstrip()
        line = self._index.line(start + len(padded) - len(raw))
        raw = raw.rstrip()
        try:
            value, nonstandard = parse_json(raw)
            if isinstance(value, str):
                value = {"text": value}
            if not isinstance(value, dict):
                value, nonstandard = parse_object(raw)  # says what was expected
        except Unreadable as fault:
            reason = str(fault)
            if self._index.torn and not self._index.too_deep and entry == self._index.count - 1:
                reason = "the file ends in the middle of this row"
            return Row(entry, self.files[0], line, error=reason, raw=raw)
        return Row(entry, self.files[0], line, value=value, nonstandard=nonstandard, raw=raw)

    def faults(self) -> list[BadLine]:
        """An array that is never closed, further arrays that are not read, a torn gzip file."""
        found = []
        last = self._index.line(self._index.end)
        if self._stream.fault:
            found.append(BadLine(self.files[0], last, self._stream.fault))
        elif self._index.too_deep:
            found.append(
                BadLine(self.files[0], last, "a row never closes its brackets; everything after it was skipped")
            )
        elif self._index.torn:
            found.append(BadLine(self.files[0], last, "the file ends before its last bracket is closed"))
        elif self._stream.read(self._index.end_of_value, 65_536).strip():
            line = self._index.line(self._index.end_of_value)
            found.append(BadLine(self.files[0], line, "text after the end of the JSON document was skipped"))
        if self._index.other_arrays:
            found.append(BadLine(self.files[0], last, "only the first array of objects in this file was read"))
        return found

    def release(self) -> None:
        """Closes the file until the next read."""
        self._stream.release()
