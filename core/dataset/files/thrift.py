"""Thrift's compact protocol, as far as the headers of Parquet files need it: structures as field number to value."""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
)
_DEEPEST = 32
_MOST_VALUES = 5_000_000


class Damaged(ValueError):
    """The bytes are no structure."""


class Compact:
    """Reads structures from bytes.

    Args:
        data: the bytes.
        at: where the next structure begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at
        self._values = 0

    @property
    def at(self) -> int:
        """Where what was read ends."""
        return self._at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The structure that begins here.

        Raises:
            Damaged: there is none.
        """
        if depth > _DEEPEST:
            raise Damaged("endlessly nested structures")
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else _signed(self._whole())
            fields[number] = self._value(kind & 0x0F, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise Damaged("endless values")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return _signed(self._whole())
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._whole())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _MAP:
            return self._map(depth)
        raise Damaged(f"unknown value type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._whole()
        kind = head & 0x0F
        if kind in (_TRUE, _FALSE):  # in a list each has a byte of its own
            return [self._byte() == _TRUE for _ in range(self._few(size))]
        return [self._value(kind, depth + 1) for _ in range(self._few(size))]

    def _map(self, depth: int) -> dict[Any, Any]:
        size = self._few(self._whole())
        kinds = self._byte() if size else 0
        pairs = ((self._value(kinds >> 4, depth + 1), self._value(kinds & 0x0F, depth + 1)) for _ in range(size))
        return {repr(key): value for key, value in pairs}

    def _few(self, size: int) -> int:
        if size > len(self._data) - self._at:
            raise Damaged("a list longer than the file")
        return size

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise Damaged("it is truncated")
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise Damaged("it is truncated")
        self._at += length
        return self._data[self._at - length : self._at]

    def _whole(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Damaged("a number with too many bytes")


def _signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
