"""A text that is updated often and rarely changes its height."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class StillText(Static):
    """A text that triggers a layout of the screen only when its height changes.

    `Static.update` lays out the whole screen each time: about 20 ms, four times a second while rows are scanned.
    """

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False)
        self._said = Content("")

    def say(self, text: str | Content) -> None:
        """Show a text, which must be clean, if it has changed."""
        content = Content(text) if isinstance(text, str) else text
        if content.is_same(self._said):
            return
        width = self.content_size.width
        same_height = width > 0 and content.get_height({}, width) == self._said.get_height({}, width)
        self._said = content
        self.update(content, layout=not same_height)
