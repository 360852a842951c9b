"""What the threads behind the data screen have to tell it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.data.near_search import NearFound
from tui.data.scan import ScanNews
from tui.data.tokens import TokenNews

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Action, Decision


@dataclass(frozen=True, slots=True)
class Grown:
    """More rows are known."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Rows that were not at hand are."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision is on the disk, or could not be written.

    Attributes:
        row: the row it is about.
        key: that row's key.
        action: what was decided.
        future: done; raises why it could not be written.
    """

    row: int
    key: str
    action: Action
    future: Future[Decision]


@dataclass(frozen=True, slots=True)
class Found:
    """A search has found more, or has ended.

    Attributes:
        sought: the text that is searched for, or the lengths in words.
        entries: further entries that hold it, ascending.
        done: entries looked at.
        complete: whether the search has ended.
    """

    sought: str
    entries: tuple[int, ...]
    done: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Sorted:
    """A list has been sorted.

    Attributes:
        names: of the lists that held it.
        order: the order it has now.
        entries: its entries in that order.
    """

    names: tuple[str, ...]
    order: str
    entries: Sequence[int]


@dataclass(frozen=True, slots=True)
class History:
    """What was decided about a row, oldest first."""

    row: int
    decisions: Sequence[Decision]


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was asked for is done, or why it is not, in a sentence."""

    words: str
    failed: bool = False


News = Grown | Arrived | ScanNews | TokenNews | NearFound | Decided | Found | Sorted | History | Said
