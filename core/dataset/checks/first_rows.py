"""Where a text was seen first: a hash table in arrays, a fifth of what a dictionary of numbers takes."""

from __future__ import annotations

from array import array

_SMALLEST = 2**10
_WIDTH = 3
"""Numbers a place: the row from 1 (0 for an empty one), the key, the mark. They lie together, in one line of cache."""


class FirstRows:
    """The first row of each key, with a mark of 8 bytes: 24 bytes a place, half to nine tenths of which are used."""

    def __init__(self) -> None:
        self._used = 0
        self._make(_SMALLEST)

    def put(self, key: int, row: int, mark: int = 0) -> tuple[int, int]:
        """Notes the row if it is the first with its key.

        Args:
            key: a hash of 64 bits, as Python makes it.
            row: from 0.
            mark: kept with the first row; a hash of 64 bits.

        Returns:
            The first row of this key and its mark: the arguments themselves where there was none before.
        """
        table, place, mask = self._table, key, self._mask
        while first := table[at := _WIDTH * (place & mask)]:
            if table[at + 1] == key:
                return first - 1, table[at + 2]
            place += 1
        table[at], table[at + 1], table[at + 2] = row + 1, key, mark
        self._used += 1
        if self._used > self._most:
            self._grow()
        return row, mark

    def _make(self, places: int) -> None:
        self._mask = places - 1
        self._most = int(0.75 * places)
        self._table = array("q", bytes(8 * _WIDTH * places))

    def _grow(self) -> None:
        before, size = self._table, len(self._table)
        self._make(2 * size // _WIDTH)
        table, mask = self._table, self._mask
        for start in range(0, size, _WIDTH):
            if before[start]:
                place = before[start + 1]
                while table[at := _WIDTH * (place & mask)]:
                    place += 1
                table[at : at + _WIDTH] = before[start : start + _WIDTH]
