"""The entries that several lists have in common: flagged so and undecided and of one file and longer than so much."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, overload

from tui.data.list_names import FLAG, SOURCE

if TYPE_CHECKING:
    from core.dataset.files.index import GoodRows
    from tui.data.rows import DataRows


def entries_of(rows: DataRows, names: Sequence[str]) -> Sequence[int]:
    """The entries that all of these lists hold, ascending.

    Begins with the list that is likely the shortest and asks the others about each of its entries. Where there are only
    whole files and what is undecided, which may be a million entries, nothing is gone through.

    Args:
        rows: the rows.
        names: of the lists, as `DataRows.filter`.
    """
    told = sorted((name for name in names if _rank(name) < _SPANS), key=_rank)
    start, end = _span(rows, names)
    if not told:
        return Undecided(rows.undecided_rows(), start, end) if "undecided" in names else range(start, end)
    first, *others = [*told, *(name for name in names if name == "undecided")]
    holds = [holder(rows, name) for name in others]
    return [entry for entry in _entries(rows, first) if start <= entry < end and all(each(entry) for each in holds)]


def holder(rows: DataRows, name: str) -> Callable[[int], bool]:
    """Tells whether an entry is in a list."""
    if name == "undecided":
        return lambda entry: (row := rows.row_of(entry)) is not None and row not in rows.decisions
    if name.startswith(SOURCE):
        _, start, end = rows.sources()[int(name.removeprefix(SOURCE))]
        return lambda entry: start <= entry < end
    return set(_entries(rows, name)).__contains__


def counts_within(rows: DataRows, entries: Sequence[int]) -> Counter[str]:
    """How many of some entries each list holds, by the lists' names; `found` and the orders aside.

    Args:
        rows: the rows.
        entries: of the data set; each is looked at once.
    """
    found: Counter[str] = Counter()
    for entry in entries:
        row = rows.row_of(entry)
        if row is None:
            continue
        names = {flag.name for flag in rows.flags_of(entry)}
        found.update(FLAG + name for name in names)
        found["flagged"] += bool(names)
        found["marked"] += row in rows.marks
        found[{"": "undecided", "keep": "kept", "drop": "dropped"}[rows.decision(entry)]] += 1
    ordered = sorted(entries)
    for number, (_, start, end) in enumerate(rows.sources()):
        found[f"{SOURCE}{number}"] = bisect_left(ordered, end) - bisect_left(ordered, start)
    return found


_SPANS = 9
"""Rank from which on a list is no list of single entries."""


def _rank(name: str) -> int:
    if name.startswith(FLAG):
        return 2
    if name.startswith(SOURCE):
        return _SPANS
    return {"found": 0, "marked": 1, "dropped": 3, "kept": 4, "flagged": 5}.get(name, _SPANS)


def _span(rows: DataRows, names: Iterable[str]) -> tuple[int, int]:
    """The first entry of the files that are listed and the one after the last."""
    spans = [rows.sources()[int(name.removeprefix(SOURCE))][1:] for name in names if name.startswith(SOURCE)]
    start = max((first for first, _ in spans), default=0)
    return start, max(start, min((last for _, last in spans), default=rows.dataset.count))


def _entries(rows: DataRows, name: str) -> Sequence[int]:
    """The entries of a list of single ones."""
    if name == "found":
        return rows.hits
    if name == "marked":
        return rows.entries_of(rows.marks)
    if name in ("kept", "dropped"):
        verdict = "keep" if name == "kept" else "drop"
        return rows.entries_of(row for row, choice in rows.decisions.items() if choice == verdict)
    if name == "flagged":
        return rows.entries_of({*rows.flags, *rows.tokens.flags})
    wanted = name.removeprefix(FLAG)
    return rows.entries_of({*rows.flags.rows_of(wanted), *rows.tokens.flags.rows_of(wanted)})


class Undecided(Sequence[int]):
    """The undecided entries of a span, without a list of them.

    Args:
        left: entries that are neither decided nor bad, by their position among these.
        start: the first entry of the span.
        end: the one after its last.
    """

    def __init__(self, left: GoodRows, start: int, end: int) -> None:
        self._left = left
        self._first = _position(left, start)
        self._count = _position(left, end) - self._first

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return [self._left.entry(self._first + number) for number in range(*place.indices(self._count))]
        if not -self._count <= place < self._count:
            raise IndexError(place)
        return self._left.entry(self._first + place % self._count)


def _position(left: GoodRows, entry: int) -> int:
    while (position := left.row(entry)) is None:
        entry += 1
    return position
