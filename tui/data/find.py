"""What goes over all rows in a thread: a search, a choice by length, an order."""

from __future__ import annotations

import heapq
import re
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.message import Message

from core.dataset.records import Unreadable
from core.dataset.sample import characters
from core.errors import TunedeckError
from core.units import count
from tui.data.listing import Listing
from tui.data.messages import Notice, SearchProgress, Sorted

if TYPE_CHECKING:
    from core.dataset.pattern import Pattern

_SLICE = 20_000
_PERIOD = 0.05
_PAUSE = 0.0005

Unit = Literal["characters", "tokens"]

ORDERS = {
    "longest": "size",
    "shortest": "size",
    "most tokens": "tokens",
    "fewest tokens": "tokens",
    "most flags": "flags",
}
"""The orders of a list beside that of the files, and what they count."""

_RANGE = re.compile(r"\s*(?:(?P<over>>=?)|(?P<under><=?))?\s*(?P<low>\d+)\s*(?:(?:-|to|\.\.)\s*(?P<high>\d+))?\s*")


@dataclass(frozen=True, slots=True)
class Lengths:
    """Which lengths are looked for.

    Attributes:
        low: the least.
        high: the most, None for no limit.
        unit: of both.
    """

    low: int
    high: int | None
    unit: Unit

    @classmethod
    def read(cls, text: str, unit: Unit) -> Lengths | None:
        """From what somebody types: `500`, `>500`, `<20`, `100-500`; None for anything else."""
        found = _RANGE.fullmatch(text.replace(",", ""))
        if found is None:
            return None
        low, high = int(found["low"][:15]), int(found["high"][:15]) if found["high"] else None
        if found["over"] or found["under"]:
            if high is not None:
                return None
            exact = "=" in (found["over"] or found["under"])
            return cls(low + (not exact), None, unit) if found["over"] else cls(0, max(0, low - (not exact)), unit)
        return cls(low, low if high is None else high, unit)

    @property
    def words(self) -> str:
        """In words: `with 100 to 500 tokens`."""
        if self.high is None:
            return f"with {count(self.low)}+ {self.unit}"
        return f"with {count(self.low)} to {count(self.high)} {self.unit}"

    def hold(self, length: int) -> bool:
        """Whether a length is among them."""
        return self.low <= length and (self.high is None or length <= self.high)


class Finder:
    """Works on the rows of a dataset, in threads.

    Args:
        listing: the rows, and which of them are listed.
        post: called with what was found, in these threads.
    """

    def __init__(self, listing: Listing, post: Callable[[Message], object]) -> None:
        self._listing = listing
        self._rows = listing.rows
        self._post = post
        self._ended = threading.Event()

    def end(self) -> None:
        """Search no longer."""
        self._ended.set()

    def search(self, query: str) -> None:
        """Look for a text in all rows; a search that is under way ends."""
        from core.dataset.search import search

        reader, ended = self._rows.dataset.reader, self._begin()

        def found() -> Iterator[SearchProgress]:
            for hits in search(reader, query, ended.is_set):
                yield SearchProgress(query, hits.entries, hits.done, hits.complete)

        self._run(found(), ended)

    def match(self, pattern: Pattern, query: str) -> None:
        """Look for a regular expression in all rows; a search that is under way ends.

        Args:
            pattern: the expression.
            query: what was typed.
        """
        from core.dataset.pattern import matching

        reader, ended = self._rows.dataset.reader, self._begin()

        def number(entry: int) -> int:
            row = self._rows.row_of(entry)
            return 1 + (entry if row is None else row)

        def found() -> Iterator[SearchProgress]:
            try:
                for hits in matching(reader, pattern, ended.is_set, number=number):
                    entries = tuple(hits.matches)
                    yield SearchProgress(query, entries, hits.done, hits.complete, hits.matches)
            except TunedeckError as fault:
                yield SearchProgress(query, (), 0, complete=True, stopped=True)
                self._post(Notice(str(fault), failed=True))  # last, since an empty list forgets what was said of a row

        self._run(found(), ended)

    def by_length(self, wanted: Lengths) -> None:
        """List the rows of some lengths; a search that is under way ends."""
        ended = self._begin()
        lengths = self._tokens() if wanted.unit == "tokens" else self._characters()
        self._run(self._chosen(lengths, wanted, ended), ended)

    def sort(self, order: str) -> None:
        """Sort the list, in slices: sorting a million rows at once would hold up the keys.

        Args:
            order: one of `ORDERS`.
        """
        names, listed = self._listing.names, self._listing.listed()
        sign = 1 if order in ("shortest", "fewest tokens") else -1  # equal rows stay in their order either way

        def work() -> None:
            value = self._value(order)
            slices = []
            for start in range(0, len(listed), _SLICE):
                part = listed[start : start + _SLICE]
                slices.append(sorted((sign * value(entry), entry) for entry in part))
            self._post(Sorted(names, order, [entry for _, entry in heapq.merge(*slices)]))

        threading.Thread(target=work, name="sort", daemon=True).start()

    def _value(self, order: str) -> Callable[[int], int]:
        rows = self._rows
        if order == "most flags":
            return lambda entry: len(rows.flags_of(entry))
        if "tokens" in order:
            totals = array("q", (found.total for found in rows.tokens.facts.rows())) if rows.tokens.facts else ()
            unknown = -1 if order == "most tokens" else 2**40  # at the end of the list either way

            def tokens(entry: int) -> int:
                row = rows.row_of(entry)
                return totals[row] if row is not None and row < len(totals) else unknown

            return tokens
        return rows.dataset.reader.size

    def _begin(self) -> threading.Event:
        self._ended.set()
        self._ended = threading.Event()
        return self._ended

    def _run(self, found: Iterator[SearchProgress], ended: threading.Event) -> None:
        def work() -> None:
            try:
                for each in found:
                    if ended.is_set():
                        return
                    self._post(each)
            except OSError as fault:
                self._post(Notice(f"Search failed: {fault.strerror or fault}.", failed=True))

        threading.Thread(target=work, name="search", daemon=True).start()

    def _chosen(
        self, lengths: Iterator[tuple[int, int]], wanted: Lengths, ended: threading.Event
    ) -> Iterator[SearchProgress]:
        """The entries whose length is wanted, some times a second."""
        gathered: list[int] = []
        reported_at = 0.0
        entry = 0
        for entry, length in lengths:
            if wanted.hold(length):
                gathered.append(entry)
            if (now := time.monotonic()) - reported_at > _PERIOD:
                yield SearchProgress(wanted.words, tuple(gathered), entry, complete=False)
                gathered, reported_at = [], now
                if ended.wait(_PAUSE):  # lets the screen's thread run
                    return
        yield SearchProgress(wanted.words, tuple(gathered), entry + 1, complete=True)

    def _characters(self) -> Iterator[tuple[int, int]]:
        """Each entry that is a sample, and its characters; reads all rows."""
        rows = self._rows
        for entry in range(rows.dataset.count):
            try:
                yield entry, characters(rows.sample(rows.read(entry)))
            except Unreadable:
                continue

    def _tokens(self) -> Iterator[tuple[int, int]]:
        """Each entry whose tokens are known, and how many."""
        facts = self._rows.tokens.facts
        for found in facts.rows() if facts is not None else ():
            if found.state == "measured":
                yield self._rows.entry_of(found.row), found.total
