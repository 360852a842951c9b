"""What a line of the list of rows says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.units import count, short_count

Tone = Literal["plain", "good", "flag", "bad"]

UNKNOWN_TOKENS = "- tok"
"""What stands for a length in tokens while nobody knows it: the unit says what the column is."""


@dataclass(frozen=True, slots=True)
class ListEntry:
    """What one line of the list says; every text is clean and without newlines.

    Attributes:
        number: the row's number as people count, from 1; 0 where it has none.
        status: one or two words: `ok`, `dup 412`, `empty`.
        tone: how the status is drawn, besides its words.
        mark: the decision: "keep", "drop" or "".
        size: the row's length with its unit, right-aligned: `1,204 ch`.
        preview: the beginning of the row's text.
        tokens: the length in tokens, or why it is not known: `214 tok`, `- tok`; "" without that column.
    """

    number: int
    status: str
    tone: Tone
    mark: Literal["", "keep", "drop"]
    size: str
    preview: str
    tokens: str = ""


def length_words(value: int) -> str:
    """A length in at most six characters."""
    return count(value) if value < 100_000 else short_count(value)
