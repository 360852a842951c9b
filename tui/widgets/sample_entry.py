"""What a line of the list of rows says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.units import count, short_count

Tone = Literal["plain", "good", "flag", "bad"]

UNKNOWN = "-"
"""What stands for a length that is not known yet."""


@dataclass(frozen=True, slots=True)
class Column:
    """A short fact that each line gives before its text.

    Attributes:
        width: cells of the widest fact.
        needed: show the column however narrow the list is; others give way to the text.
    """

    width: int
    needed: bool = False


@dataclass(frozen=True, slots=True)
class ListEntry:
    """What one line of the list says; every text is clean and without newlines.

    Attributes:
        number: the row's number as people count, from 1; 0 where it has none.
        status: one or two words: `dup 412`, `empty`; "" where there is nothing to say.
        tone: how the status is drawn, besides its words.
        mark: the decision: "keep", "drop" or "".
        facts: one for each column of the list, with its unit: `1,204 chars`.
        preview: the beginning of the row's text.
    """

    number: int
    status: str
    tone: Tone
    mark: Literal["", "keep", "drop"]
    facts: tuple[str, ...]
    preview: str


def length_words(value: int) -> str:
    """A length in at most six characters."""
    return count(value) if value < 100_000 else short_count(value)
