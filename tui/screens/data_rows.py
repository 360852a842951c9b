"""The rows of the list: entries of the data set under a filter, with number, flags and decision."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from core.clean import clean_line
from core.dataset.index import GoodRows
from core.dataset.records import BadLine, Row, Unreadable
from core.dataset.sample import Message, Sample
from core.units import count, short_count, size
from tui.widgets.sample_list import Entry, Tone

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset

Decision = Literal["", "keep", "drop"]

FILTERS = ("all", "flagged", "undecided", "kept", "dropped")
"""The filters, in the order in which the key goes through them."""

HUGE = 4 * 2**20
"""Bytes of a row beyond which it is read only when someone asks: parsing it would hold up the keys."""

_PREVIEW = 400


SHORT_WORDS = {
    "bad_row": "bad",
    "leak_exact": "leak",
    "empty_answer": "empty",
    "role_order": "roles",
    "missing_turn": "no turn",
    "exact_duplicate": "dup",
    "normalised_duplicate": "like",
    "answer_equals_prompt": "echo",
    "placeholder": "gap",
    "control_characters": "control",
    "nonstandard_json": "json",
    "length_outlier": "length",
}
"""The word for each check in the list's narrow column; other checks show their own name."""


def short_words(flag: Flag) -> str:
    """A flag in the list: `dup 412`, `empty`."""
    word = SHORT_WORDS.get(flag.name, flag.name)
    return word if flag.of is None else f"{word} {flag.of + 1}"


@dataclass
class DataRows:
    """What is known of each row, and which entries are listed.

    An entry is a place in the files, good or bad; a row is a good entry, and rows are what scans, flags and decisions
    count. Which entries are bad is learnt while the scan goes on.

    Attributes:
        dataset: the entries.
        filter: one of `FILTERS`.
        flags: for each flagged row, its flags.
        decisions: for each decided row, keep or drop.
        scanned: rows that a scan has looked at, from the first on.
        bad: entry and place of what could not be read, ascending.
    """

    dataset: Dataset
    filter: str = "all"
    flags: dict[int, tuple[Flag, ...]] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    scanned: int = 0
    bad: list[tuple[int, BadLine]] = field(default_factory=list)
    _listed: Sequence[int] | None = None
    _good: GoodRows = field(default_factory=lambda: GoodRows([]))
    _left: GoodRows = field(default_factory=lambda: GoodRows([]))

    # -- what is listed -------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Positions under the filter."""
        if self.filter == "undecided":
            return self.undecided
        return self.dataset.count if self._listed is None else len(self._listed)

    def entry_at(self, position: int) -> int:
        """The entry that stands at a position."""
        if self.filter == "undecided":
            return self._left.entry(position)
        return position if self._listed is None else self._listed[position]

    def position_of(self, entry: int) -> int:
        """Where an entry stands; for one that is not listed, where the next one that is stands."""
        if self.filter == "undecided":
            while (position := self._left.row(entry)) is None:
                entry += 1
            return position
        return entry if self._listed is None else bisect_left(self._listed, entry)

    def next_row(self, position: int) -> int:
        """The next position with a row that can be decided on; the same one where there is none."""
        for further in range(position + 1, self.count):
            if self.row_of(self.entry_at(further)) is not None:
                return further
        return position

    def use_filter(self, name: str) -> None:
        """List other rows; also brings the list up to new flags and decisions."""
        self.filter = name
        self._listed = None
        bad = [entry for entry, _ in self.bad]
        if name == "flagged":
            self._listed = sorted(map(self._good.entry, self.flags))
        elif name in ("kept", "dropped"):
            wanted = "keep" if name == "kept" else "drop"
            rows = (row for row, choice in self.decisions.items() if choice == wanted)
            self._listed = sorted(map(self._good.entry, rows))
        elif name == "undecided":
            self._left = GoodRows(sorted([*map(self._good.entry, self.decisions), *bad]))

    # -- what is known --------------------------------------------------------------------------------------

    @property
    def good(self) -> int:
        """Rows that can be read, as far as anyone has looked."""
        return self.dataset.count - len(self.bad)

    @property
    def undecided(self) -> int:
        """Rows without a decision."""
        return self.good - len(self.decisions)

    def counts(self) -> Mapping[str, int]:
        """How many rows each filter lists."""
        dropped = sum(choice == "drop" for choice in self.decisions.values())
        return {
            "all": self.good,
            "flagged": len(self.flags),
            "undecided": self.undecided,
            "kept": len(self.decisions) - dropped,
            "dropped": dropped,
        }

    def learn(self, flags: Mapping[int, tuple[Flag, ...]], bad: Sequence[tuple[int, BadLine]], scanned: int) -> None:
        """Take in what a scan has found since the last time."""
        for row, found in flags.items():
            self.flags[row] = self.flags.get(row, ()) + found
        if bad:
            self.bad.extend(bad)
            self._good = GoodRows([entry for entry, _ in self.bad])
        self.scanned = scanned

    def row_of(self, entry: int) -> int | None:
        """The row at an entry, from 0; None for an entry that is known to be bad."""
        return self._good.row(entry)

    def entry_of(self, row: int) -> int:
        """The entry of a row, within what there is."""
        return self._good.entry(max(0, min(row, self.good - 1)))

    def decision(self, entry: int) -> Decision:
        """What was decided about an entry."""
        row = self.row_of(entry)
        return "" if row is None else self.decisions.get(row, "")

    def flags_of(self, entry: int) -> tuple[Flag, ...]:
        """Why an entry deserves a look."""
        row = self.row_of(entry)
        return () if row is None else self.flags.get(row, ())

    def read(self, entry: int) -> Row:
        """The entry as it stands in the file; a file that went away meanwhile is a reason like any other."""
        try:
            return self.dataset.row(entry)
        except OSError as fault:
            file = self.dataset.reader.files[0]
            return Row(entry, file, 0, error=f"the file cannot be read any more: {fault.strerror or fault}")

    # -- one line of the list -------------------------------------------------------------------------------

    def line(self, position: int) -> Entry:
        """What the list says at a position; reads and parses the row."""
        entry = self.entry_at(position)
        length = self.dataset.reader.size(entry)
        if length > HUGE:
            return self._line(entry, size(length), f"(a row of {size(length)})")
        row = self.read(entry)
        try:
            sample = self.dataset.sample_of(row)
        except Unreadable as fault:
            if row.value is None:
                return Entry(0, "bad", "bad", "", f"line {row.line:,}", clean_line(str(fault), _PREVIEW))
            return self._line(entry, "", clean_line(f"({fault})", _PREVIEW), unformatted=True)
        return self._line(entry, f"{_length(characters(sample))} ch", preview(sample))

    def _line(self, entry: int, length: str, text: str, *, unformatted: bool = False) -> Entry:
        row = self.row_of(entry)
        number = 0 if row is None else row + 1
        mark = self.decision(entry)
        flags = self.flags_of(entry)
        if unformatted:
            return Entry(number, "bad", "bad", mark, length, text)
        if flags:
            tone: Tone = "bad" if flags[0].severity == "error" else "flag"
            return Entry(number, short_words(flags[0]), tone, mark, length, text)
        if row is not None and row < self.scanned:
            return Entry(number, "ok", "good", mark, length, text)
        return Entry(number, "-", "plain", mark, length, text)


def characters(sample: Sample) -> int:
    """Characters of a sample's texts, roles and markup aside."""
    turns: tuple[Message, ...] = (*sample.messages, *sample.chosen, *sample.rejected)
    return len(sample.text) + sum(len(turn.content) + len(turn.reasoning) for turn in turns)


def _length(value: int) -> str:
    return count(value) if value < 100_000 else short_count(value)


def preview(sample: Sample) -> str:
    """One clean line for the list: the first question, or the beginning of the text."""
    first = next((turn.content for turn in sample.messages if turn.role == "user"), sample.answer)
    words = " ".join(first[: _PREVIEW * 4].split())
    return clean_line(words, _PREVIEW) or "(empty)"
