"""What packed columnar files would unpack to, read from their own headers before anything is unpacked.

pyarrow allocates what a header declares; a file of 50 kB may declare, and really unpack to, gigabytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from core.dataset.thrift import Compact, Damaged
from core.errors import BadInput
from core.units import size

MOST_AT_ONCE = 256 * 2**20
"""Bytes that one page or batch may unpack to where it is packed more than `_RATIO` times."""

BATCH_BYTES = 16 * 2**20
"""Bytes that rows that are decoded together should stay below."""

_RATIO = 200
_ROWS_A_BYTE = 1_000
_HEADER = 2**12
_LONG_HEADER = 2**22
_MOST_PAGES = 4_000
"""Pages that are looked at: more of them would hold up the opening of a large file for seconds."""

# Field numbers of Parquet's own structures: of the file, a row group, a column, a page.
_ROWS, _GROUPS = 3, 4
_COLUMNS, _GROUP_ROWS = 1, 3
_META, _UNPACKED, _PACKED, _DATA_AT, _DICTIONARY_AT = 3, 6, 7, 9, 11
_PAGE_UNPACKED, _PAGE_PACKED = 2, 3
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2


def bomb(unpacked: int, packed: int) -> str:
    """Why so many bytes are not unpacked from so few, or ""."""
    if unpacked <= MOST_AT_ONCE or unpacked <= _RATIO * max(1, packed):
        return ""
    return f"{size(packed)} unpack to {size(unpacked)} at once: a compressed bomb, not read"


def too_many_rows(rows: int, length: int) -> str:
    """Why a file of so many bytes cannot have so many rows, or ""."""
    return (
        f"it says that it has {rows:,} rows, which {size(length)} cannot hold" if rows > _ROWS_A_BYTE * length else ""
    )


def parquet_batch_rows(path: Path, most: int) -> int:
    """How many rows of a Parquet file can be decoded together.

    Reads the file's own headers: pyarrow ends the whole process over some damaged ones.

    Args:
        path: the file.
        most: rows in a batch of small ones.

    Raises:
        BadInput: the file is damaged, a compressed bomb, or lies about its rows.
    """
    try:
        with path.open("rb") as file:
            return _parquet_batch_rows(file, path.stat().st_size, most)
    except _Refused as why:
        raise BadInput(str(why), where=str(path)) from None
    except (Damaged, KeyError, TypeError, AttributeError, OSError) as fault:
        raise BadInput(
            f"not a readable Parquet file: its list of contents is damaged ({fault})", where=str(path)
        ) from None


class _Refused(Exception):
    """A file that is not read, with the reason."""


def _parquet_batch_rows(file: BinaryIO, length: int, most: int) -> int:
    file.seek(max(0, length - 8))
    tail = file.read()
    footer = int.from_bytes(tail[:4], "little")
    if len(tail) < 8 or tail[4:] != b"PAR1" or footer > length - 12:
        raise Damaged("the file ends too early")
    file.seek(length - 8 - footer)
    contents = Compact(file.read(footer)).struct()
    if why := too_many_rows(contents[_ROWS], length):
        raise _Refused(why)
    rows, pages = most, 0
    for number, group in enumerate(contents[_GROUPS], 1):
        columns = [column[_META] for column in group[_COLUMNS]]
        unpacked = sum(each[_UNPACKED] for each in columns)
        why = bomb(unpacked, sum(each[_PACKED] for each in columns))
        largest = unpacked // max(1, group[_GROUP_ROWS])
        for column in columns:
            for field in (_DICTIONARY_AT, _DATA_AT):
                if not column.get(field):
                    continue
                pages += 1
                if pages > _MOST_PAGES:
                    continue
                page = _page(file, column[field])
                why = why or bomb(page[_PAGE_UNPACKED], page[_PAGE_PACKED])
                if field == _DICTIONARY_AT:  # each row may be its longest entry
                    largest = max(largest, page[_PAGE_UNPACKED])
        if why:
            raise _Refused(f"row group {number}: {why}")
        rows = min(rows, max(1, BATCH_BYTES // max(1, largest)))
    return rows


def _page(file: BinaryIO, at: int) -> dict[int, Any]:
    """The header of a page; the statistics in it may be long texts."""
    file.seek(at)
    try:
        return Compact(file.read(_HEADER)).struct()
    except Damaged:
        file.seek(at)
        return Compact(file.read(_LONG_HEADER)).struct()


def arrow_batch_sizes(message: Any) -> tuple[int, int]:
    """Bytes that the buffers of an Arrow message say they unpack to, and the bytes that they are now.

    Args:
        message: pyarrow's `ipc.Message`; what holds no batch, or one that is not packed, has 0 and 0.

    Raises:
        ValueError: the message's header is damaged.
    """
    header = _Table.root(memoryview(message.metadata))
    kind = header.number(1, "<B")
    if kind not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return 0, 0
    batch = header.table(2)
    if batch is not None and kind == _DICTIONARY_BATCH:
        batch = batch.table(1)
    if batch is None or batch.table(3) is None:
        return 0, 0
    body = memoryview(message.body) if message.body is not None else memoryview(b"")
    unpacked = packed = 0
    for offset, length in batch.pairs(2):
        if length >= 8 and 0 <= offset <= len(body) - 8:
            declared = struct.unpack_from("<q", body, offset)[0]
            unpacked += max(0, declared)
            packed += length
    return unpacked, packed


class _Table:
    """A table of a flatbuffer: just enough to find the sizes of buffers."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at

    @classmethod
    def root(cls, data: memoryview) -> _Table:
        return cls(data, _unpack("<I", data, 0))

    def number(self, field: int, code: str) -> int:
        at = self._field(field)
        return _unpack(code, self._data, at) if at else 0

    def table(self, field: int) -> _Table | None:
        at = self._field(field)
        return _Table(self._data, at + _unpack("<I", self._data, at)) if at else None

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A vector of structures of two 64-bit numbers."""
        at = self._field(field)
        if not at:
            return []
        start = at + _unpack("<I", self._data, at)
        count = min(_unpack("<I", self._data, start), (len(self._data) - start - 4) // 16)
        return [struct.unpack_from("<qq", self._data, start + 4 + 16 * number) for number in range(count)]

    def _field(self, field: int) -> int:
        """Where a field stands, 0 where it is not there."""
        fields = self._at - _unpack("<i", self._data, self._at)
        inside = 4 + 2 * field
        if inside >= _unpack("<H", self._data, fields):
            return 0
        offset = _unpack("<H", self._data, fields + inside)
        return self._at + offset if offset else 0


def _unpack(code: str, data: memoryview, at: int) -> int:
    try:
        return int(struct.unpack_from(code, data, at)[0])
    except struct.error as fault:
        raise ValueError(f"the header of a message is damaged: {fault}") from None
