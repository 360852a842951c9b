"""The rows of the list: entries of the data set under a filter, with number, flags and decision."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.dataset.files.index import GoodRows
from core.dataset.files.records import BadLine, Row, Unreadable
from core.dataset.files.shards import ShardReader
from core.dataset.sample import Sample
from tui.data.lines import row_line
from tui.data.list_names import FILTERS
from tui.data.row_flags import RowFlags
from tui.data.tokens import TokenColumn
from tui.widgets.sample_entry import Entry

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Standing
    from core.dataset.audit.queue import Audit
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from tui.data.ahead import RowsAhead

Decision = Literal["", "keep", "drop"]

_BY_DECISION = frozenset(("undecided", "kept", "dropped", "marked"))


@dataclass
class DataRows:
    """What is known of each row, and which entries are listed.

    An entry is a place in the files, good or bad; a row is a good entry, and rows are what scans, flags and decisions
    count. Which entries are bad is learnt while the scan goes on.

    Attributes:
        dataset: the entries.
        filter: one of `FILTERS`, `FLAG` and a check's name, `SOURCE` and a file's number, `marked` (edited, noted or
            flagged by hand), `found` (what a search has found) or `audit`.
        also: further lists that hold what is listed, each named as a filter; empty for `all` and `audit`.
        order: how the list is sorted: "" as the filter has it, `longest` or `shortest`.
        flags: for each flagged row, its flags.
        decisions: for each decided row, keep or drop.
        marks: for each row that was edited, noted or flagged by hand, where it stands.
        hits: entries that a search has found, ascending.
        query: the text that was searched for, "" where something else was.
        sought: what was searched for, in words.
        tokens: what is known of the rows' tokens.
        ahead: reads rows that take a while.
        audit: the audit that is under way.
        queue: the entries that it reads, in its order.
        scanned: rows that a scan has looked at, from the first on.
        judged: whether the scan is done; some checks, such as those for unusual lengths, flag rows at its end only.
        bad: entry and place of what could not be read, ascending.
        reasons: for rows that were dropped with a reason, the reason; may quote data.
        version: grows with each decision that is taken in.
    """

    dataset: Dataset
    filter: str = "all"
    also: tuple[str, ...] = ()
    order: str = ""
    flags: RowFlags = field(default_factory=RowFlags)
    decisions: dict[int, Decision] = field(default_factory=dict)
    marks: dict[int, Standing] = field(default_factory=dict)
    hits: list[int] = field(default_factory=list)
    query: str = ""
    sought: str = ""
    tokens: TokenColumn = field(default_factory=TokenColumn)
    ahead: RowsAhead | None = None
    audit: Audit | None = None
    queue: Sequence[int] = ()
    scanned: int = 0
    judged: bool = False
    bad: list[tuple[int, BadLine]] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    version: int = 0
    _listed: Sequence[int] | None = None
    _places: dict[int, int] | None = None
    _good: GoodRows = field(default_factory=lambda: GoodRows([]))
    _left: GoodRows = field(default_factory=lambda: GoodRows([]))

    # -- what is listed -------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Positions under the filter."""
        if self._listed is None and self.filter == "undecided":
            return self.undecided
        return self.dataset.count if self._listed is None else len(self._listed)

    @property
    def steady(self) -> bool:
        """Whether rows stay in the list whatever is decided about them."""
        return _BY_DECISION.isdisjoint(self.names) or bool(self.order)

    @property
    def grows(self) -> bool:
        """Whether rows that are found later belong to the list."""
        return self._listed is None

    def entry_at(self, position: int) -> int:
        """The entry that stands at a position."""
        if self._listed is None:
            return self._left.entry(position) if self.filter == "undecided" else position
        return self._listed[position]

    def position_of(self, entry: int) -> int:
        """Where an entry stands; for one that is not listed, where the next one that is stands."""
        if self._places is not None:
            return self._places.get(entry, 0)
        if self._listed is not None:
            return bisect_left(self._listed, entry)
        if self.filter == "undecided":
            while (position := self._left.row(entry)) is None:
                entry += 1
            return position
        return entry

    def lists(self, entry: int) -> bool:
        """Whether an entry is in the list."""
        position = self.position_of(entry)
        return position < self.count and self.entry_at(position) == entry

    def next_row(self, position: int) -> int:
        """The next position with a row that can be decided on; the same one where there is none.

        An audit goes on with the next row that is undecided, and from its end with those that were skipped.
        """
        if self.filter == "audit":
            return self.next_undecided(position)
        for further in range(position + 1, self.count):
            if self.row_of(self.entry_at(further)) is not None:
                return further
        return position

    def next_undecided(self, position: int) -> int:
        """The next position with a row on which nothing was decided, from the end on to the beginning."""
        for further in chain(range(position + 1, self.count), range(max(0, position))):
            row = self.row_of(self.entry_at(further))
            if row is not None and row not in self.decisions:
                return further
        return position

    @property
    def names(self) -> tuple[str, ...]:
        """The lists that hold what is listed, `filter` first."""
        return (self.filter, *self.also)

    @property
    def follows_flags(self) -> bool:
        """Whether new flags may belong to the list."""
        return not self.order and any(name not in ("all", "audit", "found") for name in self.names)

    def use_filter(self, name: str, also: tuple[str, ...] | None = None) -> None:
        """List other rows; also brings the list up to new flags and decisions.

        Args:
            name: as `filter`.
            also: as `also`; None leaves what there is where the filter is the same, else none.
        """
        self.also = also if also is not None else self.also if name == self.filter else ()
        self.filter = name
        self.order = ""
        self._listed = self._places = None
        if name == "audit":
            self._list_in_order(self.queue)
        elif self.names == ("found",):
            self._listed = self.hits
        elif self.names == ("undecided",):
            self._left = self.undecided_rows()
        elif self.names != ("all",):
            from tui.data.listing import entries_of  # the first picture lists all

            self._listed = entries_of(self, self.names)

    def find_more(self, entries: Sequence[int]) -> None:
        """Take in further entries that a search has found; `found` lists them if the other lists hold them."""
        self.hits.extend(entries)
        if self.also and not self.order and isinstance(self._listed, list):
            from tui.data.listing import holder

            holds = [holder(self, name) for name in self.names if name != "found"]
            self._listed.extend(entry for entry in entries if all(each(entry) for each in holds))

    def undecided_rows(self) -> GoodRows:
        """Positions among the undecided entries against entries."""
        return GoodRows(sorted([*map(self._good.entry, self.decisions), *(entry for entry, _ in self.bad)]))

    def use_order(self, order: str, entries: Sequence[int]) -> None:
        """List the same rows in another order."""
        self.order = order
        self._list_in_order(entries)

    def listed(self) -> Sequence[int]:
        """The entries of the list, in its order."""
        if self._listed is not None:
            return self._listed if not isinstance(self._listed, list) else list(self._listed)
        return range(self.count) if self.filter != "undecided" else [*map(self._left.entry, range(self.count))]

    def sources(self) -> list[tuple[Path, int, int]]:
        """Each file with its entries: the first, and the one after the last."""
        reader = self.dataset.reader
        if not isinstance(reader, ShardReader):
            return [(reader.files[0], 0, reader.count)]
        return [(part.files[0], start, start + part.count) for start, part in reader.parts]

    def flags_by_entry(self) -> dict[int, tuple[Flag, ...]]:
        """The flags of each flagged entry."""
        rows = {*self.flags, *self.tokens.flags}
        return {self._good.entry(row): self._flags(row) for row in rows}

    def entries_of(self, rows: Iterable[int]) -> list[int]:
        """The entries of rows, ascending."""
        return sorted(map(self._good.entry, rows))

    def _list_in_order(self, entries: Sequence[int]) -> None:
        self._listed = entries
        if not isinstance(entries, range):
            self._places = {entry: position for position, entry in enumerate(entries)}

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
        """How many rows each filter lists, a filter beside the usual ones first."""
        dropped = sum(choice == "drop" for choice in self.decisions.values())
        here = {} if self.filter in FILTERS or self.also else {self.filter: self.count}
        return {
            **here,
            "all": self.good,
            "flagged": self.flags.count_with(self.tokens.flags),
            "undecided": self.undecided,
            "kept": len(self.decisions) - dropped,
            "dropped": dropped,
        }

    def audited(self) -> tuple[int, int, int]:
        """Of the audit's queue: how many rows it has, how many of them are kept, how many dropped."""
        entries = self.queue if isinstance(self.queue, range) else set(self.queue)
        bad = sum(entry in entries for entry, _ in self.bad)
        chosen = Counter(choice for row, choice in self.decisions.items() if self._good.entry(row) in entries)
        return len(entries) - bad, chosen["keep"], chosen["drop"]

    def flag_counts(self) -> Mapping[str, int]:
        """How many rows have each flag, the most frequent first."""
        return dict((self.flags.names + self.tokens.flags.names).most_common())

    def stand(self, row: int, standing: Standing) -> None:
        """Take in where a row stands."""
        self.version += 1
        if standing.verdict:
            self.decisions[row] = standing.verdict
        else:
            self.decisions.pop(row, None)
        self.marks.pop(row, None)
        if standing.edit is not None or standing.note or standing.flag:
            self.marks[row] = standing
        self.reasons.pop(row, None)
        if standing.why:
            self.reasons[row] = standing.why

    def standing(self, row: int) -> Standing:
        """What the decisions on a row come to, as far as they are known here."""
        from core.dataset.audit.decisions import Standing

        known = self.marks.get(row) or Standing()
        return replace(known, verdict=self.decisions.get(row, ""), why=self.reasons.get(row, ""))

    def mark(self, entry: int) -> Standing | None:
        """Where an entry stands that was edited, noted or flagged by hand."""
        row = self.row_of(entry)
        return None if row is None else self.marks.get(row)

    def sample(self, row: Row) -> Sample:
        """An entry as the model will see it: as edited, where it was.

        Raises:
            Unreadable: it is no sample, with the reason.
        """
        mark = self.mark(row.entry)
        if mark is not None and mark.edit is not None:
            try:
                return Sample.from_json(dict(mark.edit))
            except (KeyError, TypeError, AttributeError):
                raise Unreadable("the edit of this row is no sample; u takes it back") from None
        return self.dataset.sample_of(row)

    def learn(self, flags: Mapping[int, tuple[Flag, ...]], bad: Sequence[tuple[int, BadLine]], scanned: int) -> None:
        """Take in what a scan has found since the last time."""
        for row, found in flags.items():
            # A scan that goes on is heard from its beginning again.
            both = (*self.flags.get(row, ()), *found)
            self.flags[row] = both if len(both) == 1 else tuple(dict.fromkeys(both))
        known = {entry for entry, _ in self.bad} if bad else ()
        if bad := [each for each in bad if each[0] not in known]:
            self.bad.extend(bad)
            self._good = GoodRows([entry for entry, _ in self.bad])
        self.scanned = scanned

    def take_near(self, flags: Mapping[int, tuple[Flag, ...]], names: Collection[str]) -> None:
        """Take in the flags of a search in the place of those that an earlier one has set.

        Args:
            flags: good row to flags.
            names: of the checks that the search makes.
        """
        for row, found in list(self.flags.items()):
            if kept := tuple(flag for flag in found if flag.name not in names):
                self.flags[row] = kept
            else:
                del self.flags[row]
        for row, found in flags.items():
            self.flags[row] = found + self.flags.get(row, ())

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
        return () if row is None else self._flags(row)

    def _flags(self, row: int) -> tuple[Flag, ...]:
        scanned, counted = self.flags.get(row, ()), self.tokens.flags_of(row, self.edited(row))
        if not counted:
            return scanned
        return tuple(sorted((*scanned, *counted), key=lambda flag: flag.severity != "error"))

    def edited(self, row: int) -> Sample | None:
        """A row's edit, None where there is none."""
        mark = self.marks.get(row)
        try:
            return None if mark is None or mark.edit is None else Sample.from_json(dict(mark.edit))
        except (KeyError, TypeError, AttributeError):
            return None  # such an edit has no tokens; the row itself says what is wrong

    def read(self, entry: int) -> Row:
        """The entry as it stands in the file; a file that went away meanwhile is a reason like any other."""
        try:
            return self.dataset.row(entry) if self.ahead is None else self.ahead.row(entry)
        except OSError as fault:
            file = self.dataset.reader.files[0]
            return Row(entry, file, 0, error=f"the file cannot be read any more: {fault.strerror or fault}")

    # -- one line of the list -------------------------------------------------------------------------------

    def at_hand(self, entry: int) -> bool:
        """Whether an entry can be read without waiting; if not, it is on its way."""
        return self.ahead is None or self.ahead.at_hand(entry)

    def line(self, position: int) -> Entry | None:
        """What the list says at a position; reads and parses the row. None while it is not at hand."""
        entry = self.entry_at(position)
        return row_line(self, entry) if self.at_hand(entry) else None
