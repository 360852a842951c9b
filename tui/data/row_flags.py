"""The flags of very many rows in little memory: equal ones are held once, and all of them packed."""

from __future__ import annotations

import marshal
import struct
from array import array
from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.dataset.checks import Flag

_PAGE_BITS = 6
_PAGE = 1 << _PAGE_BITS
_KEPT = 4_096
_HEAD = struct.Struct("<IQ")
_BITS = 64


class RowFlags(MutableMapping[int, "tuple[Flag, ...]"]):
    """Row to its flags, by row: about 10 bytes a flagged row, and 100 for flags that differ from all others.

    A scan may flag each of a million rows; as objects in a dictionary these take 450 bytes a row. Here a row has the
    place of its flags in one run of bytes, in pages of 64 rows. Each place begins with the length and with a bit for
    each check, so that rows can be counted and listed by check without unpacking.
    """

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}
        self._bytes = bytearray(1)  # no place is 0: that is a row without flags
        self._count = 0
        self._bits: dict[str, int] = {}
        self._names: Counter[str] = Counter()
        self._repeats = 0
        self._places: dict[bytes, int] = {}
        self._unpacked: dict[int, tuple[Flag, ...]] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return (row for row, _ in self._rows())

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self._place(row) > 0

    def __getitem__(self, row: int) -> tuple[Flag, ...]:
        place = self._place(row)
        if not place:
            raise KeyError(row)
        return self._at(place)

    def __setitem__(self, row: int, flags: tuple[Flag, ...]) -> None:
        if self._place(row):
            del self[row]
        if not flags:
            return
        packed = marshal.dumps([(flag.name, flag.reason, flag.of, flag.severity, flag.similarity) for flag in flags], 2)
        place = self._places.get(packed)
        if place is None:
            place = len(self._bytes)
            bits = 0
            for flag in flags:
                bits |= self._bits.setdefault(flag.name, 1 << len(self._bits) % _BITS)
            self._bytes += _HEAD.pack(len(packed), bits) + packed
            if len(self._places) >= _KEPT:
                self._places.clear()
            self._places[packed] = place
        page = self._pages.get(row >> _PAGE_BITS)
        if page is None:
            page = self._pages[row >> _PAGE_BITS] = array("Q", bytes(8 * _PAGE))
        page[row % _PAGE] = place
        self._note(flags, 1)

    def __delitem__(self, row: int) -> None:
        flags = self[row]
        self._pages[row >> _PAGE_BITS][row % _PAGE] = 0
        self._note(flags, -1)

    def _note(self, flags: tuple[Flag, ...], times: int) -> None:
        """Counts a row that has these flags now, or has them no longer."""
        self._count += times
        if len(flags) == 1:
            self._names[flags[0].name] += times
            self._repeats += times * (flags[0].of is not None)
            return
        for name in {flag.name for flag in flags}:
            self._names[name] += times
        self._repeats += times * any(flag.of is not None for flag in flags)

    @property
    def names(self) -> Counter[str]:
        """How many rows each check has flagged."""
        return +self._names

    @property
    def repeats(self) -> int:
        """How many rows are said to repeat another one."""
        return self._repeats

    def count_with(self, other: RowFlags) -> int:
        """How many rows are flagged here or there."""
        here, there = self._pages, other._pages
        both = 0
        for number in here.keys() & there.keys():
            both += sum(1 for pair in zip(here[number], there[number], strict=True) if all(pair))
        return len(self) + len(other) - both

    def rows_of(self, name: str) -> Iterator[int]:
        """The rows that a check has flagged, ascending."""
        bit, shared = self._bits.get(name, 0), len(self._bits) > _BITS
        for row, place in self._rows():
            if _HEAD.unpack_from(self._bytes, place)[1] & bit and (
                not shared or any(flag.name == name for flag in self._at(place))
            ):
                yield row

    def _rows(self) -> Iterator[tuple[int, int]]:
        """The flagged rows, ascending, each with the place of its flags."""
        for number in sorted(self._pages):
            for row, place in enumerate(self._pages[number], number << _PAGE_BITS):
                if place:
                    yield row, place

    def _place(self, row: int) -> int:
        page = self._pages.get(row >> _PAGE_BITS)
        return 0 if page is None else page[row % _PAGE]

    def _at(self, place: int) -> tuple[Flag, ...]:
        found = self._unpacked.get(place)
        if found is None:
            from core.dataset.checks.base import Flag

            length, _ = _HEAD.unpack_from(self._bytes, place)
            packed = bytes(self._bytes[place + _HEAD.size : place + _HEAD.size + length])
            if len(self._unpacked) >= _KEPT:
                self._unpacked.clear()
            found = self._unpacked[place] = tuple(Flag(*each) for each in marshal.loads(packed))
        return found
