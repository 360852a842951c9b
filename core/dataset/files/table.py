"""CSV and TSV, cells over several lines included."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from pathlib import Path

from core.dataset.files.blocks import BlockIndex, CsvRecords
from core.dataset.files.streams import ByteStream
from core.dataset.records import CP1252, HOW_TO_READ, MAX_ROW_BYTES, BadLine, Row, not_utf8
from core.errors import BadInput

_DELIMITERS = ",;\t|"
_NAME = re.compile(r"\w(?:[\w .:/()-]{0,62}[\w)])?")


class TableReader:
    """One record a row; the first record names the columns.

    Args:
        delimiter: the character between cells; None takes the one that the first line holds most of.

    Raises:
        BadInput: there is no header.
    """

    def __init__(self, path: Path, stream: ByteStream, start: int = 0, *, delimiter: str | None = None) -> None:
        csv.field_size_limit(sys.maxsize)
        self.files: tuple[Path, ...] = (path,)
        self._stream = stream
        if delimiter is None:
            delimiter = _guess(stream.read(start, 65_536))
        self._delimiter = delimiter
        self.container = "TSV" if delimiter == "\t" else "CSV"
        self._index = BlockIndex(stream, CsvRecords(delimiter), start)
        while not self._index.count and not self._index.complete:
            self._index.extend(0)
        self.columns = self._header(path)

    @property
    def count(self) -> int:
        """Records known so far, the header aside."""
        return max(0, self._index.count - 1)

    @property
    def complete(self) -> bool:
        """Whether all records are known."""
        return self._index.complete

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds."""
        return self._index.extend(budget)

    def size(self, entry: int) -> int:
        """Bytes of the record."""
        start, end, _ = self._index.span(entry + 1)
        return end - start

    def ready(self, entry: int) -> bool:
        """Whether its bytes are at hand."""
        start, end, _ = self._index.span(entry + 1)
        return self._stream.ready(start, end - start)

    def row(self, entry: int) -> Row:
        """The record as column name to cell text, or why it is none."""
        start, end, line = self._index.span(entry + 1)
        if end - start > MAX_ROW_BYTES:
            return Row(entry, self.files[0], line, error="a quote opened here is never closed")
        raw = self._stream.read(start, end - start)
        try:
            cells = self._cells(raw)
        except UnicodeDecodeError as fault:
            reason = not_utf8(raw, fault)
            return Row(entry, self.files[0], line + raw.count(b"\n", 0, fault.start), error=reason, raw=raw)
        except csv.Error as fault:
            return Row(entry, self.files[0], line, error=f"not valid CSV: {fault}", raw=raw)
        if len(cells) != len(self.columns):
            reason = f"{len(cells)} cell{'s' * (len(cells) != 1)}, but the header has {len(self.columns)} columns"
            return Row(entry, self.files[0], line, error=reason, raw=raw)
        value = dict(zip(self.columns, cells, strict=True))
        return Row(entry, self.files[0], line, value=value, raw=raw.rstrip(b"\r\n"))

    def faults(self) -> list[BadLine]:
        """A torn gzip file."""
        if not self._stream.fault:
            return []
        return [BadLine(self.files[0], self.row(self.count - 1).line if self.count else 1, self._stream.fault)]

    def release(self) -> None:
        """Closes the file until the next read."""
        self._stream.release()

    def _cells(self, raw: bytes) -> list[str]:
        text = raw.decode("utf-8").rstrip("\r\n")
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True))
        if len(records) != 1:
            raise csv.Error("unexpected quote")
        return records[0]

    def _header(self, path: Path) -> tuple[str, ...]:
        if not self._index.count:
            raise BadInput("the file has no header line", where=str(path), do="Put the column names in the first line")
        start, end, _ = self._index.span(0)
        try:
            names = [name.strip() for name in self._cells(self._stream.read(start, end - start))]
        except UnicodeDecodeError as fault:
            reason = not_utf8(self._stream.read(start, end - start), fault)
            do = f"Read it as {CP1252}: {HOW_TO_READ}" if CP1252 in reason else ""
            raise BadInput(f"the header line is {reason}", where=f"{path}, line 1", do=do) from None
        except csv.Error as fault:
            raise BadInput(f"the header line cannot be read: {fault}", where=f"{path}, line 1") from None
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise BadInput(
                f"two columns have the name {twice[0]!r}", where=f"{path}, line 1", do="Give each column a unique name"
            )
        return tuple(names)


def looks_like_table(head: bytes, *, whole: bool) -> bool:
    """Whether text without a telling name is a table: a header of plain names, and records of just as many cells.

    Args:
        head: how the file begins.
        whole: whether that is all of it.
    """
    text = head.decode("utf-8", "replace")
    if not whole:
        text = text[: text.rfind("\n") + 1]
    delimiter = _guess(head)
    try:
        records = [each for each in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if each]
    except csv.Error:
        return False
    if not whole and len(records) > 2:
        records.pop()  # its last cell may continue
    if len(records) < 2 or len(records[0]) < 2:
        return False
    names = records[0]
    if len(set(names)) < len(names) or not all(_NAME.fullmatch(name) for name in names):
        return False
    return all(len(each) == len(names) for each in records)


def _guess(head: bytes) -> str:
    line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(_DELIMITERS, key=line.count)
