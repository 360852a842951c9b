"""One line of text being typed: a plain class that needs no app, for widgets that draw their own fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len, get_character_cell_size

from core.clean import clean


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the line that fits into a field, cleaned for drawing.

    Attributes:
        before: the text left of the cursor.
        at: the character under the cursor, or "" behind the last one.
        after: the text right of it.
        cut_left, cut_right: whether there is more than what is shown.
    """

    before: str
    at: str
    after: str
    cut_left: bool
    cut_right: bool


class LineEditor:
    """Text, a cursor, and the keys that change them.

    Right after `begin` the whole text is selected: what is typed replaces it, a cursor key keeps it.
    """

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self.selected = False
        """Whether the whole text is selected."""
        self._start = 0

    def begin(self, text: str, *, select: bool = True) -> None:
        """Edit another text, with the cursor at its end."""
        self.text = text
        self.cursor = len(text)
        self.selected = select and bool(text)
        self._start = 0

    def insert(self, text: str) -> None:
        """Put typed or pasted text at the cursor; line ends become spaces, other control characters go."""
        typed = "".join(char for char in " ".join(text.splitlines()) if char.isprintable() or char in _JOINERS)
        if not typed:
            return
        if self.selected:
            self.text, self.cursor = "", 0
        self.selected = False
        self.text = self.text[: self.cursor] + typed + self.text[self.cursor :]
        self.cursor += len(typed)

    def key(self, key: str, character: str | None) -> bool:
        """Handle a key by Textual's name for it; False where it is none of an editor's keys."""
        act = _KEYS.get(key)
        if act is not None:
            act(self)
            return True
        if character is None or not character.isprintable():
            return False
        self.insert(character)
        return True

    def window(self, width: int) -> Window:
        """What is seen of the line in so many cells; it scrolls no more than the cursor needs.

        The last cell is left for a cursor behind the text.
        """
        width = max(2, width)
        self._start = min(self._start, self.cursor)
        while cell_len(self.text[self._start : self.cursor]) > width - 1:
            self._start += 1
        end, cells = self._start, 0
        while end < len(self.text):
            cells += max(1, get_character_cell_size(self.text[end]))
            if cells > width:
                break
            end += 1
        shown = "".join(clean(char, tab=1).replace("\n", "⏎") for char in self.text[self._start : end])
        at = self.cursor - self._start
        return Window(shown[:at], shown[at : at + 1], shown[at + 1 :], self._start > 0, end < len(self.text))

    def _move(self, to: int) -> None:
        self.cursor = max(0, min(len(self.text), to))
        self.selected = False

    def _cut(self, start: int, end: int) -> None:
        if self.selected:
            start, end = 0, len(self.text)
        self.text = self.text[:start] + self.text[end:]
        self._move(start)

    def _left(self) -> None:
        self._move(0 if self.selected else self.cursor - 1)

    def _right(self) -> None:
        self._move(self.cursor + 1)

    def _home(self) -> None:
        self._move(0)

    def _end(self) -> None:
        self._move(len(self.text))

    def _word_left(self) -> None:
        self._move(self._word_start())

    def _word_right(self) -> None:
        rest = self.text[self.cursor :]
        word = len(rest) - len(rest.lstrip(_SEPARATORS))
        while word < len(rest) and rest[word] not in _SEPARATORS:
            word += 1
        self._move(self.cursor + word)

    def _backspace(self) -> None:
        self._cut(max(0, self.cursor - 1), self.cursor)

    def _delete(self) -> None:
        self._cut(self.cursor, self.cursor + 1)

    def _delete_word(self) -> None:
        self._cut(self._word_start(), self.cursor)

    def _delete_to_start(self) -> None:
        self._cut(0, self.cursor)

    def _delete_to_end(self) -> None:
        self._cut(self.cursor, len(self.text))

    def _word_start(self) -> int:
        at = len(self.text[: self.cursor].rstrip(_SEPARATORS))
        while at and self.text[at - 1] not in _SEPARATORS:
            at -= 1
        return at


_JOINERS = "\u200c\u200d"
"""Characters without a width that belong to the spelling of Persian and to some emoji."""

_SEPARATORS = " ,/"
"""What parts words: a step of ctrl+left stops at each folder of a path and each entry of a list."""

# These keys edit text; they are no commands, and a keymap file does not name them.
_KEYS: dict[str, Callable[[LineEditor], None]] = {
    "left": LineEditor._left,
    "right": LineEditor._right,
    "home": LineEditor._home,
    "ctrl+a": LineEditor._home,
    "end": LineEditor._end,
    "ctrl+e": LineEditor._end,
    "ctrl+left": LineEditor._word_left,
    "ctrl+right": LineEditor._word_right,
    "backspace": LineEditor._backspace,
    "delete": LineEditor._delete,
    "ctrl+d": LineEditor._delete,
    "ctrl+w": LineEditor._delete_word,
    "ctrl+u": LineEditor._delete_to_start,
    "ctrl+k": LineEditor._delete_to_end,
}
