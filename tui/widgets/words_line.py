"""A line of words that takes as many rows as its sentence needs, up to three."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class WordsLine(Static):
    """What was said last. A new layout is asked for only where the words take more rows than before, or fewer."""

    DEFAULT_CSS = """
    WordsLine { height: auto; min-height: 1; max-height: 3; padding: 0 1; }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        """Make it without words."""
        super().__init__("", name=name, id=id, classes=classes, markup=False)
        self._words = ""

    def say(self, words: str) -> None:
        """Show other words; they must be clean."""
        if words != self._words:
            before, self._words = self._rows(), words
            self.update(Content(words), layout=self._rows() != before)

    def _rows(self) -> int:
        return Content(self._words).get_height({}, max(1, self.content_size.width))
