"""The clusters of a search, as the duplicates screen shows them: which rows stay, which are removable, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from core.clean import clean_line
from core.dataset.files.index import GoodRows
from core.dataset.near.result import Cluster
from core.dataset.records import Unreadable
from core.units import count, percent, rows_words
from tui.data.lines import HUGE, preview
from tui.widgets.sample_entry import Column, ListEntry

if TYPE_CHECKING:
    from core.dataset.near.result import Leak
    from tui.data.near_search import NearFound
    from tui.data.rows import DataRows

GroupKind = Literal["near", "exact", "leak"]
Fate = Literal["stays", "removable", "kept", "dropped"]

_PREVIEW = 200


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is removable.

    Attributes:
        similarity: verified.
        because_of: the row that stays and is like it; None for a row of the eval files.
        place: of an eval row, in words; else "".
        entry: of an eval row; else 0.
        key: of an eval row; else "".
    """

    similarity: float
    because_of: int | None
    place: str = ""
    entry: int = 0
    key: str = ""

    @property
    def other(self) -> str:
        """What the row is similar to, in clean words."""
        return clean_line(self.place, 120) if self.because_of is None else f"row {count(self.because_of + 1)}"

    @property
    def short(self) -> str:
        """The similarity and the other row, for a narrow column: `93% like row 412`, `93% like eval line 12`."""
        _, _, line = self.place.rpartition(", ")
        other = f"eval {clean_line(line, 20)}" if self.because_of is None else self.other
        return f"{percent(self.similarity)} like {other}"

    @property
    def words(self) -> str:
        """For the decision, the list and the report."""
        if self.because_of is None:
            return f"near leak: prompt {percent(self.similarity)} similar to {self.place}"
        if self.similarity >= 1:
            return f"duplicate of row {self.because_of + 1:,}, same text"
        return f"near-duplicate of row {self.because_of + 1:,}, {percent(self.similarity)} similar"


@dataclass(eq=False)
class Group:
    """One cluster, or all near leaks together.

    Attributes:
        number: in the list, from 1; stays the same while others go.
        kind: `near`, `exact`, or `leak`.
        similarity: of its least similar verified pair.
        rows: in the order in which they are shown: each row that stays, then those that are removable because of it.
        why: row to the reason why it is removable.
        waiting: whether it is being looked at again; until then nothing of it can be decided.
    """

    number: int
    kind: GroupKind
    similarity: float
    rows: Sequence[int] = ()
    why: dict[int, Reason] = field(default_factory=dict)
    waiting: bool = False
    _going: list[tuple[int, Reason]] | None = None
    _dropped: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, number: int, kind: GroupKind, clusters: Sequence[Cluster], gone: Iterable[int] = ()) -> Group:
        """A cluster from what a search, or a second look at it, has found.

        Args:
            number: of the cluster.
            kind: of it.
            clusters: what its rows make; more than one where it has fallen apart, none where nothing is similar.
            gone: rows that were dropped: they are still shown.
        """
        group = cls(number, kind, min((cluster.similarity for cluster in clusters), default=0.0))
        group.why = {
            drop.row: Reason(drop.similarity, drop.because_of) for cluster in clusters for drop in cluster.drop
        }
        rows = {row for cluster in clusters for row in cluster.rows}
        group.rows = sorted(rows.union(gone if rows else ()), key=group._place)
        return group

    def take(self, other: Group) -> None:
        """Become another: what a second look has found."""
        self.rows, self.why, self.waiting = other.rows, other.why, False
        self.similarity = other.similarity or self.similarity
        self.forget()

    def without(self, rows: Collection[int]) -> Group:
        """The group without some rows; of a cluster, they are looked for by a second look instead."""
        left = [row for row in self.rows if row not in rows]
        why = {row: reason for row, reason in self.why.items() if row not in rows}
        return Group(self.number, self.kind, min((each.similarity for each in why.values()), default=0.0), left, why)

    def forget(self) -> None:
        """Forget what follows from decisions, since there are others now."""
        self._going = None

    def count(self, decisions: Mapping[int, str]) -> tuple[list[tuple[int, Reason]], list[int]]:
        """The rows that can be dropped, with the reasons, and those that were dropped."""
        if self._going is None:
            self._going = [(row, self.why[row]) for row in self.rows if self.removable(row, decisions)]
            self._dropped = [row for row in self.rows if decisions.get(row) == "drop"]
        return self._going, self._dropped

    def removable(self, row: int, decisions: Mapping[int, str]) -> bool:
        """Whether an undecided row can be dropped: because of a row that is there to stay."""
        reason = self.why.get(row)
        if reason is None or decisions.get(row):
            return False
        return reason.because_of is None or decisions.get(reason.because_of) != "drop"

    def _place(self, row: int) -> tuple[int, bool, float, int]:
        reason = self.why.get(row)
        if reason is None or reason.because_of is None:
            return row, False, 0.0, row
        return reason.because_of, True, -reason.similarity, row


class Groups:
    """All clusters of a search.

    Args:
        found: the search's result.
        rows: of the dataset, with the decisions on them.

    Attributes:
        found: the search's result.
        listed: the clusters, the near leaks before them.
        apart: pairs of rows that are no duplicates.
    """

    def __init__(self, found: NearFound, rows: DataRows) -> None:
        self.found = found
        self._rows = rows
        self._good = GoodRows(list(found.bad))
        self._version = rows.version
        self._open_rows: int | None = None
        self.apart = set(found.apart)
        self.listed: list[Group] = []
        if found.leaks:
            self.listed.append(_leaks(found.leaks))
        self.listed += [Group.of(number, cluster.kind, [cluster]) for number, cluster in enumerate(found.clusters, 1)]
        self._of = {row: group for group in self.listed if group.kind != "leak" for row in group.rows}
        for one, other in found.apart:
            group_of_one = self._of.get(one)
            if group_of_one is not None and group_of_one is self._of.get(other):
                group_of_one.waiting = True
        self.listed = [group for group in self.listed if not (group.waiting and len(group.rows) == 2)]

    # -- what is removable ----------------------------------------------------------------------------------------

    def fate(self, group: Group, row: int) -> Fate:
        """What is to become of a row, or was decided."""
        decision = self._rows.decisions.get(row, "")
        if decision:
            return "kept" if decision == "keep" else "dropped"
        return "removable" if not group.waiting and group.removable(row, self._rows.decisions) else "stays"

    def going(self, group: Group) -> Sequence[tuple[int, Reason]]:
        """The rows of a cluster that can be dropped, with the reasons."""
        self._keep_up()
        return () if group.waiting else group.count(self._rows.decisions)[0]

    def dropped(self, group: Group) -> Sequence[int]:
        """The rows of a cluster that were dropped."""
        self._keep_up()
        return group.count(self._rows.decisions)[1]

    @property
    def open_rows(self) -> int:
        """How many rows of all clusters are removable."""
        self._keep_up()
        if self._open_rows is None:
            self._open_rows = sum(len(self.going(group)) for group in self.listed if group.kind != "leak")
        return self._open_rows

    def decided(self, rows: Iterable[int]) -> None:
        """Take in that something was decided on rows: only their clusters are counted again."""
        self._open_rows = None
        for row in rows:
            if row in self._of:
                self._of[row].forget()
        for group in self.listed[:1]:  # the leaks, whose rows are in clusters as well
            group.forget()
        self._version = self._rows.version

    def take(self, group: Group, found: Group) -> None:
        """Take in what a second look at a cluster has found; it is listed no longer where nothing of it is left."""
        group.take(found)
        self._open_rows = None
        if not group.rows:
            self.listed.remove(group)

    def clear(self, leaks: Group, rows: Collection[int]) -> NearFound:
        """Take in that rows are no near leaks; whether another eval row is similar takes a search.

        Returns:
            The search's result with the near leaks that are left.
        """
        self.take(leaks, leaks.without(rows))
        return self._left_of(leaks)

    def restore(self, at: int, group: Group, was: Group) -> NearFound:
        """Make a cluster what it was; the result as `clear`, of near leaks."""
        group.take(was)
        self._open_rows = None
        if group not in self.listed:
            self.listed.insert(at, group)
        return self._left_of(group) if group.kind == "leak" else self.found

    def _left_of(self, leaks: Group) -> NearFound:
        self.found = replace(self.found, marked=True)
        left = set(leaks.rows)
        return self.found.without_leaks([leak.row for leak in self.found.leaks if leak.row not in left])

    def _keep_up(self) -> None:
        """Count all again if something was decided elsewhere."""
        if self._version != self._rows.version:
            self._version = self._rows.version
            self._open_rows = None
            for group in self.listed:
                group.forget()

    def unsupported(self, group: Group) -> bool:
        """Whether the row that makes one removable was dropped meanwhile: then the cluster is searched again."""
        dropped = self._rows.decisions
        return any(
            reason.because_of is not None and dropped.get(reason.because_of, "") == "drop" and row not in dropped
            for row, reason in group.why.items()
        )

    def present(self, group: Group) -> list[int]:
        """The rows of a cluster that were not dropped."""
        return [row for row in group.rows if self._rows.decisions.get(row, "") != "drop"]

    def apart_in(self, group: Group) -> list[tuple[int, int]]:
        """The pairs of a cluster's rows that are no duplicates."""
        rows = set(group.rows)
        return sorted(pair for pair in self.apart if rows.issuperset(pair))

    def other(self, group: Group, row: int) -> int | Reason | None:
        """What a row is shown beside: the row or the eval row that it is similar to, else one that is similar to it."""
        reason = group.why.get(row)
        if reason is not None:
            return reason if reason.because_of is None else reason.because_of
        like = [(each.similarity, -other) for other, each in group.why.items() if each.because_of == row]
        if like:
            return -max(like)[1]
        stay = [other for other in group.rows if other != row and other not in group.why]
        return next((other for other in stay if self.said_apart(row, other)), stay[0] if stay else None)

    def said_apart(self, row: int, other: int) -> bool:
        """Whether the user has said that two rows are no duplicates."""
        return (row, other) in self.apart or (other, row) in self.apart

    def similarity(self, group: Group, row: int, other: int) -> float | None:
        """The verified similarity of two rows, None where it was not looked for or is below the threshold."""
        for one, two in ((row, other), (other, row)):
            reason = group.why.get(one)
            if reason is not None and reason.because_of == two:
                return reason.similarity
        return None

    # -- lists ----------------------------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of the list of clusters: how many rows, and how similar."""
        most = max((len(group.rows) for group in self.listed), default=0)
        return Column(len(rows_words(most)), True), Column(len("100%+"), True)

    def line(self, position: int) -> ListEntry:
        """A line of the list of clusters."""
        group = self.listed[position]
        going = bool(self.going(group))
        word = "…" if group.waiting else group.kind if going else "settled"
        tone: Literal["bad", "flag", "good"] = "good" if not going else "flag" if group.kind == "near" else "bad"
        number = 0 if group.kind == "leak" else group.number
        similarity = percent(group.similarity)
        if len(group.rows) > 2 and group.similarity < 1:
            similarity += "+"
        text = self._preview(group.rows[0]) if group.rows else ""
        if group.kind == "leak":
            text = f"prompts similar to eval prompts: {text}"
        return ListEntry(number, word, tone, "", (rows_words(len(group.rows)), similarity), text)

    def member_columns(self, group: Group) -> tuple[Column, ...]:
        """Of the list of a cluster's rows: similarity and the row that stays."""
        return (Column(max((len(reason.short) for reason in group.why.values()), default=0), True),)

    def member(self, group: Group, row: int) -> ListEntry:
        """A line of the list of a cluster's rows."""
        fate = self.fate(group, row)
        reason = group.why.get(row)
        return ListEntry(
            row + 1,
            fate,
            "flag" if fate == "removable" else "good",
            self._rows.decisions.get(row, ""),
            ("" if reason is None else reason.short,),
            self._preview(row),
        )

    def entry_of(self, row: int) -> int:
        """The entry of a row; the search knows all bad lines, even while a scan is running."""
        return self._good.entry(row)

    def _preview(self, row: int) -> str:
        entry = self.entry_of(row)
        if self._rows.dataset.reader.size(entry) > HUGE:
            return "(a very long row)"
        try:
            return preview(self._rows.dataset.sample_of(self._rows.read(entry)))[:_PREVIEW]
        except Unreadable as fault:
            return clean_line(f"({fault})", _PREVIEW)


def _leaks(leaks: Sequence[Leak]) -> Group:
    group = Group(0, "leak", min(leak.similarity for leak in leaks))
    group.rows = [leak.row for leak in leaks]
    group.why = {leak.row: Reason(leak.similarity, None, leak.place, leak.entry, leak.key) for leak in leaks}
    return group
