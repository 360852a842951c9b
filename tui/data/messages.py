"""Messages of the threads behind the Data screen, and of its panes to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Action, Decision
    from core.dataset.audit.queue import Audit
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen
    from tui.data.near_search import NearFound
    from tui.data.scan import ScanFindings
    from tui.data.tokens import TokenUpdate

# -- from threads of the desk -------------------------------------------------------------------------------


class Grown(Message):
    """More rows are known, or the files have changed."""


class Arrived(Message):
    """Rows that were not at hand are."""


@dataclass(eq=False, repr=False)
class Scanned(Message):
    """The scan has new findings."""

    update: ScanFindings


@dataclass(eq=False, repr=False)
class Counted(Message):
    """There is something new of the rows' tokens."""

    update: TokenUpdate


@dataclass(eq=False, repr=False)
class NearSearched(Message):
    """What a search for near-duplicates has found."""

    found: NearFound


@dataclass(eq=False, repr=False)
class Decided(Message):
    """Decisions that one key made are on the disk, or could not be written.

    Attributes:
        rows: row to key, of the rows that they are about.
        action: what was decided.
        future: done with the decisions; raises why they could not be written.
        reason: whether they only give an earlier drop its reason.
    """

    rows: Mapping[int, str]
    action: Action
    future: Future[list[Decision]]
    reason: bool = False


@dataclass(eq=False, repr=False)
class TakenBack(Message):
    """An undo is on the disk, or could not be written.

    Attributes:
        rows: key to row, of the rows of this dataset that it is about.
        future: done with the decisions that do not stand any more; raises why they could not be written.
    """

    rows: Mapping[str, int]
    future: Future[list[Decision]]


@dataclass(eq=False, repr=False)
class Claimed(Message):
    """Which rows of a shared audit this reviewer reads next.

    Attributes:
        audit: the name of its queue.
        mine: entries that nobody else reads meanwhile.
        others: entry to reviewer, of rows that somebody else reads now.
    """

    audit: str
    mine: frozenset[int]
    others: Mapping[int, str]


@dataclass(eq=False, repr=False)
class SearchProgress(Message):
    """A search has found more, or has ended.

    Attributes:
        sought: the text that is searched for, or the lengths in words.
        entries: further entries that hold it, ascending.
        looked_at: how many entries were looked at.
        complete: whether the search has ended.
        matches: for a pattern, entry to the text that it matches there first.
        stopped: whether it has ended before it has looked at every entry.
    """

    sought: str
    entries: tuple[int, ...]
    looked_at: int
    complete: bool
    matches: Mapping[int, str] = field(default_factory=dict)
    stopped: bool = False


@dataclass(eq=False, repr=False)
class Sorted(Message):
    """A list has been sorted.

    Attributes:
        names: of the lists that held it.
        order: the order it has now.
        entries: its entries in that order.
    """

    names: tuple[str, ...]
    order: str
    entries: Sequence[int]


@dataclass(eq=False, repr=False)
class HistoryRead(Message):
    """What was decided about a row, oldest first."""

    row: int
    decisions: Sequence[Decision]


@dataclass(eq=False, repr=False)
class Notice(Message):
    """Something that was asked for is done, or why it is not, in a sentence; may quote data."""

    words: str
    failed: bool = False


class TemplateAnswered(Message):
    """The preview service has an answer, or is ready."""


# -- from panes ---------------------------------------------------------------------------------------------


@dataclass(eq=False, repr=False)
class Fetching(Message):
    """A dataset of the Hub is being fetched; the words may quote."""

    words: str


@dataclass(eq=False, repr=False)
class OpenEnded(Message):
    """Opening a dataset has succeeded or failed; posted by the picker's thread."""

    future: Future[Dataset]


@dataclass(eq=False, repr=False)
class Opened(Message):
    """A dataset is open."""

    dataset: Dataset


@dataclass(eq=False, repr=False)
class NotOpened(Message):
    """A dataset could not be opened; the picker says why."""


@dataclass(eq=False, repr=False)
class Mapped(Message):
    """The user has said which column of the files is what: they are to be read like that."""

    chosen: Chosen
    eval_chosen: Chosen


@dataclass(eq=False, repr=False)
class RowShown(Message):
    """The cursor of the list is on the row of an entry, perhaps on the same one as before."""

    entry: int


class DecisionLinedUp(Message):
    """A decision waits to be written."""


@dataclass(eq=False, repr=False)
class DecideAll(Message):
    """One decision on all of some rows.

    Attributes:
        action: what is decided.
        payload: as `DecisionStore.decide`.
        entries: the rows' entries.
    """

    action: Action
    payload: Mapping[str, object]
    entries: Sequence[int]


@dataclass(eq=False, repr=False)
class QueueOrdered(Message):
    """The rows of an audit are known.

    Attributes:
        audit: which audit.
        entries: what it reads, in its order.
    """

    audit: Audit
    entries: Sequence[int]


class ListChanged(Message):
    """Other rows are listed, or they are in another order."""


class OverviewAsked(Message):
    """Show the overview of what would be trained on."""
