"""What is known of each row of an open dataset: flags, decisions, tokens, and what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.dataset.files.index import GoodRows
from core.dataset.files.shards import ShardReader
from core.dataset.records import BadLine, Row, Unreadable
from core.dataset.sample import Sample
from tui.data.row_flags import RowFlags
from tui.data.tokens import TokenColumn, outdated

if TYPE_CHECKING:
    from core.dataset.audit.decisions import DecisionState
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from tui.data.prefetch import RowPrefetcher

_FIRST, _FIRST_BYTES = 512, 2**18
"""Entries that are read before the first paint, at most, and their bytes: a few milliseconds."""

Mark = Literal["", "keep", "drop"]


@dataclass
class DataRows:
    """What is known of each row.

    An entry is a place in the files, good or bad; a row is a good entry, and rows are what scans, flags and decisions
    count. The scan finds out which entries are bad.

    Attributes:
        dataset: the entries.
        flags: for each flagged row, its flags.
        decisions: for each decided row, keep or drop.
        marks: for each row that was edited, noted, flagged, rated or labeled by hand, where it stands.
        tokens: what is known of the rows' tokens.
        prefetch: reads rows that take a while.
        scanned: rows that a scan has looked at, from the first on.
        judged: whether the scan is done; some checks, such as those for unusual lengths, flag rows at its end only.
        bad: entry and place of what could not be read, ascending.
        reasons: for rows that were dropped with a reason, the reason; may quote data.
        reviewer: who decides here.
        others: for each row on which somebody else has decided or noted something, where it stands.
        blind: whether the verdicts of others are hidden until this reviewer has decided.
        version: grows with each decision that is taken in.
    """

    dataset: Dataset
    flags: RowFlags = field(default_factory=RowFlags)
    decisions: dict[int, Mark] = field(default_factory=dict)
    marks: dict[int, DecisionState] = field(default_factory=dict)
    tokens: TokenColumn = field(default_factory=TokenColumn)
    prefetch: RowPrefetcher | None = None
    scanned: int = 0
    judged: bool = False
    bad: list[tuple[int, BadLine]] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    reviewer: str = ""
    others: dict[int, DecisionState] = field(default_factory=dict)
    blind: bool = False
    version: int = 0
    _good: GoodRows = field(default_factory=lambda: GoodRows([]))

    @property
    def good(self) -> int:
        """Rows that can be read, as far as anyone has looked."""
        return self.dataset.count - len(self.bad)

    @property
    def undecided(self) -> int:
        """Rows without a decision."""
        return self.good - len(self.decisions)

    def undecided_rows(self) -> GoodRows:
        """Positions among the undecided entries against entries."""
        return GoodRows(sorted([*map(self._good.entry, self.decisions), *(entry for entry, _ in self.bad)]))

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

    def decided_entries(self) -> dict[int, Mark]:
        """What was decided, by entry."""
        return {self._good.entry(row): choice for row, choice in self.decisions.items()}

    def entries_of(self, rows: Iterable[int]) -> list[int]:
        """The entries of rows, ascending."""
        return sorted(map(self._good.entry, rows))

    def flag_counts(self) -> Mapping[str, int]:
        """How many rows have each flag, the most frequent first."""
        return dict((self.flags.names + self.tokens.flags.names).most_common())

    def stand(self, row: int, standing: DecisionState) -> None:
        """Take in where a row stands."""
        self.version += 1
        if standing.verdict:
            self.decisions[row] = standing.verdict
        else:
            self.decisions.pop(row, None)
        self.marks.pop(row, None)
        if standing.edit is not None or standing.note or standing.flag or standing.rating or standing.labels:
            self.marks[row] = standing
        self.reasons.pop(row, None)
        if standing.why:
            self.reasons[row] = standing.why
        self.others.pop(row, None)
        if any(name != self.reviewer for name in standing.users):
            self.others[row] = standing

    def shown(self, row: int) -> Mark:
        """What was decided about a row, as far as this reviewer is to see it."""
        state = self.others.get(row) if self.blind else None
        return self.decisions.get(row, "") if state is None else state.verdict_of(self.reviewer)

    def hides(self, row: int) -> bool:
        """Whether what was decided and noted about a row is hidden for now, because some of it is of others."""
        return self.blind and row in self.others and not self.shown(row)

    @property
    def conflicts(self) -> list[int]:
        """The rows that reviewers decided differently and nobody has settled, ascending."""
        return sorted(row for row, state in self.others.items() if state.conflict)

    def label_counts(self) -> Counter[str]:
        """How many rows have each of the user's own labels."""
        return Counter(label for state in self.marks.values() for label in state.labels)

    def standing(self, row: int) -> DecisionState:
        """What the decisions on a row come to, as far as they are known here."""
        from core.dataset.audit.decisions import DecisionState

        known = self.marks.get(row) or DecisionState()
        return replace(known, verdict=self.decisions.get(row, ""), why=self.reasons.get(row, ""))

    def mark(self, entry: int) -> DecisionState | None:
        """Where an entry stands that was edited, noted, flagged, rated or labeled by hand."""
        row = self.row_of(entry)
        return None if row is None or self.hides(row) else self.marks.get(row)

    def sample(self, row: Row) -> Sample:
        """An entry as the model will see it: as edited, where it was.

        Raises:
            Unreadable: with the reason.
        """
        mark = self.mark(row.entry)
        if mark is not None and mark.edit is not None:
            try:
                return Sample.from_json(dict(mark.edit))
            except (KeyError, TypeError, AttributeError):
                raise Unreadable("the edit of this row is not a valid sample; press u to undo it") from None
        return self.dataset.sample_of(row)

    def learn(self, flags: Mapping[int, tuple[Flag, ...]], bad: Sequence[tuple[int, BadLine]], scanned: int) -> None:
        """Take in what a scan has found since the last time."""
        for row, found in flags.items():
            # A resumed scan is read from its beginning again.
            both = (*self.flags.get(row, ()), *found)
            self.flags[row] = both if len(both) == 1 else tuple(dict.fromkeys(both))
        known = {entry for entry, _ in self.bad} if bad else ()
        if bad := [each for each in bad if each[0] not in known]:
            self.bad.extend(bad)
            self._good = GoodRows([entry for entry, _ in self.bad])
        self.scanned = scanned

    def look_at_first(self) -> None:
        """Find the malformed lines among the first entries, so that the numbers of the rows in view do not change.

        A file up to these bounds is numbered to its end; what comes after them is known when the scan gets there.
        """
        reader, read = self.dataset.reader, 0
        bad = []
        for entry in range(min(self.dataset.count, _FIRST)):
            read += reader.size(entry)
            if read > _FIRST_BYTES or not reader.ready(entry):
                break
            row = self.read(entry)
            if row.value is None:
                bad.append((entry, BadLine(row.file, row.line, row.error)))
        self.learn({}, bad, self.scanned)

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

    def decision(self, entry: int) -> Mark:
        """What was decided about an entry."""
        row = self.row_of(entry)
        return "" if row is None else self.shown(row)

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
            return self.dataset.row(entry) if self.prefetch is None else self.prefetch.row(entry)
        except OSError as fault:
            file = self.dataset.reader.files[0]
            return Row(entry, file, 0, error=f"the file can no longer be read: {fault.strerror or fault}")

    def at_hand(self, entry: int) -> bool:
        """Whether an entry can be read without waiting; if not, it is on its way."""
        return self.prefetch is None or self.prefetch.at_hand(entry)

    @property
    def tokens_known(self) -> bool:
        """Whether the tokens of every row are known as it is now, edits included."""
        tokens = self.tokens
        if tokens.facts is None or tokens.standing != "known" or not tokens.facts.complete:
            return False
        changed = (*self.marks, *tokens.edited)
        return not any(outdated(found, self.edited(row)) for row in changed if (found := tokens.of(row)) is not None)
