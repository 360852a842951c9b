"""What a Parquet file would unpack to, read from its own headers before pyarrow unpacks anything of it.

Three things make much of little: compression, a dictionary whose long entry stands in each row, and strings of which
only what differs from the one before is written. The first is refused, of rows with the others few are decoded at a
time; where one row alone holds very many values of a dictionary, they stay numbers until the row is weighed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.dataset.files.arrow_limits import MOST_AT_ONCE, bomb, too_many_rows
from core.dataset.files.thrift import Compact, Damaged
from core.errors import BadInput
from core.units import count, size

BATCH_BYTES = 16 * 2**20
"""Bytes that rows that are decoded together should stay below."""

_HEADER = 2**12
_LONG_HEADER = 2**22
_MOST_FIRST_PAGES = 4_000
"""First pages that are looked at when a file is opened: more of them would hold it up for seconds."""
_FEW_PAGES = 2_000
_PAGE_BYTES = 512
_PAGE_ROWS = 1_000
"""A row group has no more pages than a few, one for so many packed bytes and one for so many rows: a walk over empty
pages would have no end."""

_MOST_NUMBERS = 2 * 2**30
"""Bytes of numbers, packed more than 200 times, that one row may hold as far as its row group's header tells."""

# Field numbers of Parquet's own structures: of the file, a row group, a column, a page.
_ROWS, _GROUPS = 3, 4
_COLUMNS, _GROUP_ROWS = 1, 3
_META, _TYPE, _ENCODINGS, _PATH, _VALUES, _UNPACKED, _PACKED, _DATA_AT, _DICTIONARY_AT = 3, 1, 2, 3, 5, 6, 7, 9, 11
_PAGE_UNPACKED, _PAGE_PACKED, _PAGE_V1, _PAGE_V2, _PAGE_VALUES = 2, 3, 5, 8, 1
_STRINGS = 6
_DELTA_STRINGS = 7
_WIDTH = 8

_FAULTS = (Damaged, KeyError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a row group.

    Attributes:
        path: its name with those of what it stands in.
        strings: whether its values are of any length.
        delta: whether a value may share its begin with the one before.
        values: how many there are; more than rows where they stand in lists.
        packed: bytes in the file.
        dictionary_at: place of the page with its dictionary, 0 for none.
        data_at: place of its first page with data.
    """

    path: str
    strings: bool
    delta: bool
    values: int
    packed: int
    dictionary_at: int
    data_at: int

    @property
    def nested(self) -> bool:
        return "." in self.path


@dataclass(frozen=True, slots=True)
class _Group:
    rows: int
    columns: tuple[_Column, ...]


class ParquetLimits:
    """How a Parquet file can be decoded so that no few bytes become many.

    Args:
        path: the file.
        most: rows in a batch of small ones.

    Attributes:
        batch_rows: how many rows can be decoded together.

    Raises:
        BadInput: the file is damaged, a compressed bomb, or lies about its rows.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self.batch_rows = most
        self._checked: dict[int, frozenset[str]] = {}
        try:
            with path.open("rb") as file:
                self._groups = self._read(file, path.stat().st_size)
        except _Refused as why:
            raise BadInput(str(why), where=str(path)) from None
        except (*_FAULTS, OSError) as fault:
            raise BadInput(f"not a readable Parquet file: its footer is damaged ({fault})", where=str(path)) from None

    def numbered(self, group: int) -> frozenset[str]:
        """Looks at each page of a row group; the columns whose values must stay numbers of their dictionary.

        Args:
            group: which row group, from 0.

        Raises:
            OSError: the group is not decoded, with the reason.
        """
        if group not in self._checked:
            try:
                with self._path.open("rb") as file:
                    self._checked[group] = self._look(file, self._groups[group])
            except _Refused as why:
                raise OSError(f"row group {group + 1}: {why}") from None
            except _FAULTS as fault:
                raise OSError(f"row group {group + 1} is damaged: {fault}") from None
        return self._checked[group]

    def _read(self, file: BinaryIO, length: int) -> list[_Group]:
        contents = _contents(file, length)
        if why := too_many_rows(contents[_ROWS], length):
            raise _Refused(why)
        groups: list[_Group] = []
        first_pages = 0
        for number, group in enumerate(contents[_GROUPS], 1):
            metas = [column[_META] for column in group[_COLUMNS]]
            unpacked = sum(each[_UNPACKED] for each in metas)
            why = bomb(unpacked, sum(each[_PACKED] for each in metas))
            largest = unpacked // max(1, group[_GROUP_ROWS])
            columns = tuple(map(_column, metas))
            for column in columns:
                numbers = column.values * _WIDTH
                if column.nested and numbers > _MOST_NUMBERS:
                    why = why or bomb(numbers, column.packed)
                for at in (column.dictionary_at, column.data_at):
                    first_pages += bool(at)
                    if not at or first_pages > _MOST_FIRST_PAGES:
                        continue
                    page = _page(file, at)[0]
                    why = why or bomb(page[_PAGE_UNPACKED], page[_PAGE_PACKED])
                    if at == column.dictionary_at or column.delta:  # each row may be the longest value in it
                        largest = max(largest, page[_PAGE_UNPACKED])
            if why:
                raise _Refused(f"row group {number}: {why}")
            self.batch_rows = min(self.batch_rows, max(1, BATCH_BYTES // max(1, largest)))
            groups.append(_Group(group[_GROUP_ROWS], columns))
        return groups

    def _look(self, file: BinaryIO, group: _Group) -> frozenset[str]:
        numbered = set()
        left = _FEW_PAGES + sum(each.packed for each in group.columns) // _PAGE_BYTES + group.rows // _PAGE_ROWS
        for column in group.columns:
            at = column.dictionary_at or column.data_at
            end = at + column.packed
            while at < end:
                page, header = _page(file, at)
                unpacked, packed = page[_PAGE_UNPACKED], page[_PAGE_PACKED]
                why = bomb(unpacked, packed) or self._shared(column, page)
                left -= 1
                if header + packed <= 0 or left < 0:
                    why = f"{count(group.rows)} rows in too many small pages"
                if why:
                    raise _Refused(why)
                if at == column.dictionary_at and column.strings:
                    together = column.values if column.nested else self.batch_rows
                    if together * unpacked > MOST_AT_ONCE:
                        numbered.add(column.path)
                at += header + packed
        return frozenset(numbered)

    def _shared(self, column: _Column, page: dict[int, Any]) -> str:
        """Why strings that are written without what they share with the one before are not decoded, or ""."""
        data = page.get(_PAGE_V1) or page.get(_PAGE_V2)
        if not column.delta or data is None:
            return ""
        longest, values = page[_PAGE_UNPACKED], data[_PAGE_VALUES]
        together = values if column.nested else min(values, self.batch_rows)
        # Where they differ at all, each takes a bit at least; nobody writes pages that may unpack to so much else.
        if together * longest <= MOST_AT_ONCE or (column.nested and page[_PAGE_PACKED] * 8 > values):
            return ""
        return f"{count(together)} strings that may share {size(longest)} would unpack to too much memory"


class _Refused(Exception):
    """What is not read, with the reason."""


def _contents(file: BinaryIO, length: int) -> dict[int, Any]:
    file.seek(max(0, length - 8))
    tail = file.read()
    footer = int.from_bytes(tail[:4], "little")
    if len(tail) < 8 or tail[4:] != b"PAR1" or footer > length - 12:
        raise Damaged("the file ends too early")
    file.seek(length - 8 - footer)
    return Compact(file.read(footer)).struct()


def _column(meta: dict[int, Any]) -> _Column:
    return _Column(
        b".".join(meta[_PATH]).decode("utf-8", "replace"),
        meta[_TYPE] == _STRINGS,
        meta[_TYPE] == _STRINGS and _DELTA_STRINGS in meta[_ENCODINGS],
        meta[_VALUES],
        meta[_PACKED],
        meta.get(_DICTIONARY_AT) or 0,
        meta.get(_DATA_AT) or 0,
    )


def _page(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """The header of a page and how long that is; the statistics in it may be long texts."""
    for most in (_HEADER, _LONG_HEADER):
        file.seek(at)
        reader = Compact(file.read(most))
        try:
            return reader.struct(), reader.at
        except Damaged:
            if most == _LONG_HEADER:
                raise
    raise AssertionError
