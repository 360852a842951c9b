"""Which entries of a dataset are listed: flagged so and undecided and of one file and longer than so much."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, overload

from core.dataset.files.index import GoodRows
from tui.data.rows import DataRows

if TYPE_CHECKING:
    from core.dataset.audit.queue import Audit

FILTERS = ("all", "flagged", "undecided", "kept", "dropped")
"""The filters, in the order in which the key goes through them."""

FLAG = "flag: "
"""Begins the filter that lists the rows of one check, whose name follows."""

SOURCE = "file: "
"""Begins the filter that lists the rows of one file, whose number (from 0) follows."""

LABEL = "label: "
"""Begins the filter that lists the rows with one of the user's labels, which follows."""

REASON = "reason: "
"""Begins the filter that lists the rows dropped for one reason, which follows."""

_BY_DECISION = frozenset(("undecided", "kept", "dropped", "marked", "conflicts"))

_SPANS = 9
"""Rank from which on a list is no list of single entries."""


class Listing:
    """Which entries of a dataset are listed, and in which order.

    Attributes:
        rows: what is known of the rows.
        filter: one of `FILTERS`, `FLAG` and a check's name, `SOURCE` and a file's number, `LABEL` and a label, `REASON`
            and a reason, `marked` (edited, noted, flagged, rated or labeled by hand), `conflicts` (reviewers decided
            differently), `found` (what a search has found) or `audit`.
        also: further lists that hold what is listed, each named as a filter; empty for `all` and `audit`.
        order: how the list is sorted: "" as the filter has it, else a name of `find.ORDERS`.
        hits: entries that a search has found, ascending.
        query: the text that was searched for, "" where something else was.
        sought: what was searched for, in words.
        audit: the audit that is under way.
        queue: the entries that it reads, in its order.
        mine: entries of the queue that nobody else reads meanwhile; empty while that is not known.
        taken: entry to reviewer, of rows of the queue that somebody else reads now.
        matches: for a search by a pattern, entry to the text that it matches there first.
    """

    def __init__(self, rows: DataRows) -> None:
        """List all entries."""
        self.rows = rows
        self.filter = "all"
        self.also: tuple[str, ...] = ()
        self.order = ""
        self.hits: list[int] = []
        self.query = ""
        self.sought = ""
        self.audit: Audit | None = None
        self.queue: Sequence[int] = ()
        self.mine: frozenset[int] = frozenset()
        self.taken: Mapping[int, str] = {}
        self.matches: dict[int, str] = {}
        self._listed: Sequence[int] | None = None
        self._places: dict[int, int] | None = None
        self._left = GoodRows([])

    # -- choosing -------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The lists that hold what is listed, `filter` first."""
        return (self.filter, *self.also)

    @property
    def steady(self) -> bool:
        """Whether rows stay in the list whatever is decided about them."""
        by_decision = (name in _BY_DECISION or name.startswith((LABEL, REASON)) for name in self.names)
        return bool(self.order) or not any(by_decision)

    @property
    def grows(self) -> bool:
        """Whether rows that are found later belong to the list."""
        return self._listed is None

    @property
    def follows_flags(self) -> bool:
        """Whether new flags may belong to the list."""
        return not self.order and any(name not in ("all", "audit", "found") for name in self.names)

    def use_filter(self, name: str, also: tuple[str, ...] | None = None) -> None:
        """List other rows.

        Args:
            name: as `filter`.
            also: as `also`; None leaves what there is where the filter is the same, else none.
        """
        self.also = also if also is not None else self.also if name == self.filter else ()
        self.filter = name
        self.rows.blind = self.blind
        self.order = ""
        self._listed = self._places = None
        if name == "audit":
            self._list_in_order(self.queue)
        elif self.names == ("found",):
            self._listed = self.hits
        elif self.names == ("undecided",):
            self._left = self.rows.undecided_rows()
        elif self.names != ("all",):
            self._listed = self._held_by_all()

    def again(self) -> None:
        """Bring the list up to new flags and decisions, in its filter's own order."""
        self.use_filter(self.filter)

    def use_order(self, order: str, entries: Sequence[int]) -> None:
        """List the same rows in another order."""
        self.order = order
        self._list_in_order(entries)

    @property
    def blind(self) -> bool:
        """Whether rows are listed for an audit in which nobody sees the verdicts of others."""
        return self.filter == "audit" and self.audit is not None and self.audit.overlap

    def order_of(self, audit: Audit) -> Sequence[int]:
        """The entries that an audit reads, as far as they are known, in its order; not for one that `needs_keys`."""
        known = self.rows.dataset.count
        if audit.mode == "everything":
            return range(known if audit.keyed else min(audit.entries, known))
        order = audit.order(self.rows.flags_by_entry(), {entry for entry, _ in self.rows.bad})
        return [entry for entry in order if entry < known]

    def use_audit(self, audit: Audit, queue: Sequence[int]) -> None:
        """List the rows of an audit.

        Args:
            audit: the audit.
            queue: what it reads, in its order.
        """
        self.queue, self.audit = queue, audit
        self.mine, self.taken = frozenset(), {}
        self.use_filter("audit")

    def seek(self, query: str, sought: str, also: tuple[str, ...]) -> None:
        """List what will be found: at first nothing.

        Args:
            query: as `query`.
            sought: as `sought`.
            also: as `also`.
        """
        self.hits, self.query, self.sought, self.matches = [], query, sought, {}
        self.use_filter("found", also)

    def find_more(self, entries: Sequence[int]) -> None:
        """Take in further entries that a search has found; `found` lists them if the other lists hold them."""
        self.hits.extend(entries)
        if self.also and not self.order and isinstance(self._listed, list):
            holds = [self.holder(name) for name in self.names if name != "found"]
            self._listed.extend(entry for entry in entries if all(each(entry) for each in holds))

    def _list_in_order(self, entries: Sequence[int]) -> None:
        self._listed = entries
        if not isinstance(entries, range):
            self._places = {entry: position for position, entry in enumerate(entries)}

    # -- positions ------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Positions in the list."""
        if self._listed is None and self.filter == "undecided":
            return self.rows.undecided
        return self.rows.dataset.count if self._listed is None else len(self._listed)

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
        return _position(self._left, entry) if self.filter == "undecided" else entry

    def lists(self, entry: int) -> bool:
        """Whether an entry is in the list."""
        position = self.position_of(entry)
        return position < self.count and self.entry_at(position) == entry

    def listed(self) -> Sequence[int]:
        """The entries of the list, in its order."""
        if self._listed is not None:
            return self._listed if not isinstance(self._listed, list) else list(self._listed)
        return range(self.count) if self.filter != "undecided" else [*map(self._left.entry, range(self.count))]

    def next_row(self, position: int) -> int:
        """The next position with a row that can be decided on; the same one where there is none.

        An audit continues with the next undecided row, and from its end with those that were skipped.
        """
        if self.filter == "audit":
            return self.next_undecided(position)
        for further in range(position + 1, self.count):
            if self.rows.row_of(self.entry_at(further)) is not None:
                return further
        return position

    def next_undecided(self, position: int) -> int:
        """The next position with a row on which nothing was decided, from the end on to the beginning.

        Of a shared audit: one that nobody else reads, where there is one.
        """
        mine = {entry for entry in self.mine if not self.rows.decision(entry)}
        free = -1
        for further in self._undecided_after(position):
            if further <= position and free >= 0:  # round once: what was skipped comes after what lies ahead
                break
            entry = self.entry_at(further)
            if entry in mine and further != position:
                return further
            if free < 0 and entry not in self.taken:
                free = further
        return position if free < 0 else free

    def undecided_from(self, position: int, many: int) -> list[int]:
        """The next undecided entries from a position on, those before it last.

        Args:
            position: the first that is looked at.
            many: how many at most.
        """
        return [self.entry_at(further) for further in islice(self._undecided_after(position - 1), many)]

    def _undecided_after(self, position: int) -> Iterator[int]:
        rows = self.rows
        for further in chain(range(position + 1, self.count), range(min(self.count, position + 1))):
            row = rows.row_of(self.entry_at(further))
            if row is not None and not rows.shown(row):
                yield further

    # -- numbers --------------------------------------------------------------------------------------------

    def counts(self) -> Mapping[str, int]:
        """How many rows each filter lists, a filter beside the usual ones first."""
        rows = self.rows
        dropped = sum(choice == "drop" for choice in rows.decisions.values())
        here = {} if self.filter in FILTERS or self.also else {self.filter: self.count}
        return {
            **here,
            "all": rows.good,
            "flagged": rows.flags.count_with(rows.tokens.flags),
            "undecided": rows.undecided,
            "kept": len(rows.decisions) - dropped,
            "dropped": dropped,
        }

    def audited(self) -> tuple[int, int, int]:
        """Of the audit's queue: how many rows it has, how many of them are kept, how many dropped."""
        entries = self.queue if isinstance(self.queue, range) else set(self.queue)
        bad = sum(entry in entries for entry, _ in self.rows.bad)
        rows = self.rows
        chosen = Counter(rows.decision(entry) for entry in rows.decided_entries() if entry in entries)
        return len(entries) - bad, chosen["keep"], chosen["drop"]

    def counts_within(self, entries: Sequence[int]) -> Counter[str]:
        """How many of some entries each list holds, by the lists' names; `found` and the orders aside.

        Args:
            entries: of the dataset; each is looked at once.
        """
        rows = self.rows
        found: Counter[str] = Counter()
        for entry in entries:
            row = rows.row_of(entry)
            if row is None:
                continue
            names = {flag.name for flag in rows.flags_of(entry)}
            found.update(FLAG + name for name in names)
            found["flagged"] += bool(names)
            found["marked"] += row in rows.marks
            found.update(LABEL + label for label in (rows.marks[row].labels if row in rows.marks else ()))
            if row in rows.reasons:
                found[REASON + rows.reasons[row]] += 1
            found["conflicts"] += row in rows.others and rows.others[row].conflict
            found[{"": "undecided", "keep": "kept", "drop": "dropped"}[rows.decision(entry)]] += 1
        ordered = sorted(entries)
        for number, (_, start, end) in enumerate(rows.sources()):
            found[f"{SOURCE}{number}"] = bisect_left(ordered, end) - bisect_left(ordered, start)
        return found

    # -- what several lists hold ----------------------------------------------------------------------------

    def holder(self, name: str) -> Callable[[int], bool]:
        """Tells whether an entry is in the list of a name."""
        rows = self.rows
        if name == "undecided":
            return lambda entry: (row := rows.row_of(entry)) is not None and row not in rows.decisions
        if name.startswith(SOURCE):
            _, start, end = rows.sources()[int(name.removeprefix(SOURCE))]
            return lambda entry: start <= entry < end
        return set(self._entries(name)).__contains__

    def _held_by_all(self) -> Sequence[int]:
        """The entries that all of the lists in `names` hold, ascending.

        Begins with the list that is likely the shortest and asks the others about each of its entries. Where there are
        only whole files and what is undecided, which may be a million entries, nothing is gone through.
        """
        named = sorted((name for name in self.names if _rank(name) < _SPANS), key=_rank)
        start, end = self._span()
        undecided = [name for name in self.names if name == "undecided"]
        if not named:
            return Undecided(self.rows.undecided_rows(), start, end) if undecided else range(start, end)
        first, *others = [*named, *undecided]
        holds = [self.holder(name) for name in others]
        return [entry for entry in self._entries(first) if start <= entry < end and all(each(entry) for each in holds)]

    def _span(self) -> tuple[int, int]:
        """The first entry of the files that are listed and the one after the last."""
        sources = [
            self.rows.sources()[int(name.removeprefix(SOURCE))] for name in self.names if name.startswith(SOURCE)
        ]
        start = max((first for _, first, _ in sources), default=0)
        return start, max(start, min((last for _, _, last in sources), default=self.rows.dataset.count))

    def _entries(self, name: str) -> Sequence[int]:
        """The entries of a list of single ones."""
        rows = self.rows
        if name == "found":
            return self.hits
        if name == "marked":
            return rows.entries_of(rows.marks)
        if name == "conflicts":
            return rows.entries_of(rows.conflicts)
        if name.startswith(LABEL):
            label = name.removeprefix(LABEL)
            return rows.entries_of(row for row, state in rows.marks.items() if label in state.labels)
        if name.startswith(REASON):
            reason = name.removeprefix(REASON)
            return rows.entries_of(row for row, why in rows.reasons.items() if why == reason)
        if name in ("kept", "dropped"):
            verdict = "keep" if name == "kept" else "drop"
            return sorted(entry for entry, choice in rows.decided_entries().items() if choice == verdict)
        if name == "flagged":
            return rows.entries_of({*rows.flags, *rows.tokens.flags})
        wanted = name.removeprefix(FLAG)
        return rows.entries_of({*rows.flags.rows_of(wanted), *rows.tokens.flags.rows_of(wanted)})


def _rank(name: str) -> int:
    if name.startswith((FLAG, LABEL, REASON)):
        return 2
    if name.startswith(SOURCE):
        return _SPANS
    return {"found": 0, "marked": 1, "conflicts": 1, "dropped": 3, "kept": 4, "flagged": 5}.get(name, _SPANS)


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
    """Where an entry stands; for one that is not there, where the next one that is stands."""
    while (position := left.row(entry)) is None:
        entry += 1
    return position
