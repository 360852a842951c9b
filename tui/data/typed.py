"""A line of text typed on the line of facts: a row's number, a search, a note, a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from core.clean import clean_line

MOST = 2_000
"""Characters that a line takes."""


@dataclass(slots=True)
class TypedLine:
    """A text while it is being typed.

    It is taken from the keys themselves and not from a text field: keys typed fast would reach the list before the
    field had the focus, and `2` would lead to the next screen.

    Attributes:
        title: what is typed, such as `search`.
        help: what enter does, in a few words.
        take: hears the text when it is finished.
        digits: whether it takes digits alone; any other key then ends it.
        text: what was typed so far.
    """

    title: str
    help: str
    take: Callable[[str], None]
    digits: bool = False
    text: str = ""

    def press(self, key: str, character: str | None) -> Literal["typing", "taken", "left"]:
        """Take a key."""
        if key == "enter":
            return "taken"
        if key == "escape":
            return "left"
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif self.digits and (character is None or character not in "0123456789"):
            return "left"
        elif character is not None and character.isprintable():
            self.add(character)
        return "typing"

    def add(self, text: str) -> None:
        """Take in text that was typed or pasted."""
        words = "".join(text.split("\n", 1)[0].splitlines()[:1])
        if self.digits:
            words = "".join(letter for letter in words if letter in "0123456789")
        self.text = (self.text + words)[:MOST]

    def shown(self, width: int) -> str:
        """The line in at most `width` cells; of a long text the end."""
        text = clean_line(self.text, MOST)
        room = width - cell_len(self.title) - 4
        while cell_len(text) > max(8, room):
            text = text[1:]
        line = f"{self.title}: {text}▏"
        told = f"{line}  ({self.help})"
        return told if cell_len(told) <= width else line
