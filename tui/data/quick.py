"""Choices that one digit takes: the reason of a drop, a rating, the labels of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.clean import clean_line
from tui.settings import MOST_LETTERS

RATINGS = ("1", "2", "3", "4", "5")


@dataclass(slots=True)
class QuickChoice:
    """A choice that is open; every key but its own closes it and does what it does anyway.

    Attributes:
        kind: what is chosen.
        choices: what the digits from 1 on stand for.
        entry: the entry under the cursor while it is open, another one closes it; None while the drop that it is about
            is on its way to the disk.
        title: the question.
        chosen: the choices that are taken already.
    """

    kind: Literal["reason", "rating", "label"]
    choices: tuple[str, ...]
    entry: int | None
    title: str = ""
    chosen: tuple[str, ...] = ()

    @property
    def zero(self) -> bool:
        """Whether 0 is a choice: no rating, or other labels."""
        return self.kind != "reason"

    def takes(self, digit: int) -> bool:
        """Whether a digit is a choice."""
        return 0 < digit <= len(self.choices) or (digit == 0 and self.zero)

    @property
    def offered(self) -> list[tuple[str, str, bool]]:
        """The choices, for `CommandLine.offer`."""
        if self.kind == "rating":
            found = [(digit, "", digit in self.chosen) for digit in self.choices]
            return [*found, ("0", "none", False)]
        found = [
            (str(number), clean_line(words, MOST_LETTERS), words in self.chosen)
            for number, words in enumerate(self.choices, 1)
        ]
        return [*found, ("0", "other", False)] if self.zero else found

    @property
    def help(self) -> str:
        """What else closes it."""
        return {"reason": "esc no reason", "rating": "esc cancel", "label": "esc done"}[self.kind]
