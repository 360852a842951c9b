"""What packed columnar data would unpack to, and how much Arrow says that it does, before anything is unpacked.

pyarrow allocates what a header declares; a file of 50 kB may declare, and really unpack to, gigabytes.
"""

from __future__ import annotations

import struct
from typing import Any

from core.units import size

MOST_AT_ONCE = 256 * 2**20
"""Bytes that one page or batch may unpack to where it is packed more than `_RATIO` times."""

_RATIO = 200
_ROWS_A_BYTE = 1_000
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2


def bomb(unpacked: int, packed: int) -> str:
    """Why so many bytes are not unpacked from so few, or ""."""
    if unpacked <= MOST_AT_ONCE or unpacked <= _RATIO * max(1, packed):
        return ""
    return f"{size(packed)} would unpack to {size(unpacked)} at once (a decompression bomb)"


def too_many_rows(rows: int, length: int) -> str:
    """Why a file of so many bytes cannot have so many rows, or ""."""
    return f"it claims {rows:,} rows, which do not fit in {size(length)}" if rows > _ROWS_A_BYTE * length else ""


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
