"""Readers of the text formats: each turns entries of a file into rows, bad ones with their reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from core.dataset.files.blocks import BlockIndex, Paragraphs, WholeText
from core.dataset.files.index import LineIndex
from core.dataset.files.streams import ByteStream
from core.dataset.records import MAX_ROW_BYTES, BadLine, Row, Unreadable, not_utf8, parse_object


class Reader(Protocol):
    """The entries of one file, or of several as one; what the rest of the program sees of files.

    `extend` may run in one thread while others call `row`.

    Attributes:
        container: what kind of file it is, in words: `JSONL`, `JSON array`, `CSV`.
        files: the files, in source order.
        count: entries known so far, good and bad.
        complete: whether `count` is final.
    """

    files: tuple[Path, ...]

    @property
    def container(self) -> str:
        """What kind of file it is, in words."""

    @property
    def count(self) -> int:
        """Entries known so far."""

    @property
    def complete(self) -> bool:
        """Whether all entries are known."""

    def extend(self, budget: float | None = None) -> bool:
        """Looks for more entries for about `budget` seconds (None: to the end); returns `complete`."""

    def row(self, entry: int) -> Row:
        """The entry; never raises for what the file holds."""

    def ready(self, entry: int) -> bool:
        """Whether `row` gives the entry within some milliseconds, without unpacking or decoding much before."""

    def size(self, entry: int) -> int:
        """Bytes of the entry in the file, 0 where the file kind has none."""

    def faults(self) -> list[BadLine]:
        """What is wrong with the file beside single entries (a torn gzip file); final once complete."""

    def release(self) -> None:
        """Gives back file descriptors until the next read."""


class JsonlReader:
    """One JSON object a line.

    Attributes:
        stream: the bytes.
        index: where each line begins.
    """

    container = "JSONL"

    def __init__(self, path: Path, stream: ByteStream, start: int = 0) -> None:
        self.files: tuple[Path, ...] = (path,)
        self.stream = stream
        self.index = LineIndex(stream, start)

    @property
    def count(self) -> int:
        """Entries known so far."""
        return self.index.count

    @property
    def complete(self) -> bool:
        """Whether all entries are known."""
        return self.index.complete

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds."""
        return self.index.extend(budget)

    def size(self, entry: int) -> int:
        """Bytes of the line, its end included."""
        start, end, _ = self.index.span(entry)
        return end - start

    def ready(self, entry: int) -> bool:
        """Whether its bytes are at hand."""
        start, end, _ = self.index.span(entry)
        return self.stream.ready(start, end - start)

    def row(self, entry: int) -> Row:
        """The parsed line, or why it could not be."""
        start, end, line = self.index.span(entry)
        if end - start > MAX_ROW_BYTES:
            return Row(entry, self.files[0], line, error=f"a line over {MAX_ROW_BYTES >> 20} MiB")
        raw = self.stream.read(start, end - start).rstrip(b"\r\n")
        try:
            value, nonstandard = parse_object(raw)
        except Unreadable as fault:
            reason = str(fault)
            if self.complete and self.index.torn and end == self.index.end:
                reason = f"the file ends in the middle of this line ({reason})"
            return Row(entry, self.files[0], line, error=reason, raw=raw)
        return Row(entry, self.files[0], line, value=value, nonstandard=nonstandard, raw=raw)

    def faults(self) -> list[BadLine]:
        """A torn gzip file."""
        if not self.stream.fault:
            return []
        return [BadLine(self.files[0], _last_line(self), self.stream.fault)]

    def release(self) -> None:
        """Closes the file until the next read."""
        self.stream.release()


def _last_line(reader: JsonlReader | TextReader) -> int:
    """The last line that was reached, from 1."""
    return reader.row(reader.count - 1).line if reader.count else 1


TextUnit = Literal["paragraph", "line", "file"]
"""What of a plain text is a row."""


class TextReader:
    """Plain text: one row a paragraph (empty lines between), one a line that is not empty, or the whole file as one."""

    def __init__(self, path: Path, stream: ByteStream, start: int = 0, *, unit: TextUnit = "paragraph") -> None:
        self.container = {"paragraph": "text", "line": "text lines", "file": "text file"}[unit]
        self.files: tuple[Path, ...] = (path,)
        self._stream = stream
        self._index: LineIndex | BlockIndex
        if unit == "line":
            self._index = LineIndex(stream, start)
        else:
            self._index = BlockIndex(stream, Paragraphs() if unit == "paragraph" else WholeText(), start)

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
        """Bytes of the row."""
        start, end, _ = self._index.span(entry)
        return end - start

    def ready(self, entry: int) -> bool:
        """Whether its bytes are at hand."""
        start, end, _ = self._index.span(entry)
        return self._stream.ready(start, end - start)

    def row(self, entry: int) -> Row:
        """The text as `{"text": ...}`, or why it is none."""
        start, end, line = self._index.span(entry)
        if end - start > MAX_ROW_BYTES:
            return Row(entry, self.files[0], line, error=f"a text over {MAX_ROW_BYTES >> 20} MiB")
        raw = self._stream.read(start, end - start).rstrip()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as fault:
            reason = not_utf8(raw, fault)
            return Row(entry, self.files[0], line + raw.count(b"\n", 0, fault.start), error=reason, raw=raw)
        return Row(entry, self.files[0], line, value={"text": text.replace("\r\n", "\n")}, raw=raw)

    def faults(self) -> list[BadLine]:
        """A torn gzip file."""
        if not self._stream.fault:
            return []
        return [BadLine(self.files[0], _last_line(self), self._stream.fault)]

    def release(self) -> None:
        """Closes the file until the next read."""
        self._stream.release()
