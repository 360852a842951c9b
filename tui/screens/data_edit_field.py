"""Editing a row's JSON within the program, where the user has named no editor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea


class EditField(ModalScreen[str | None]):
    """A text of many lines; the result is the text, or None if nothing is to change."""

    DEFAULT_CSS = """
    EditField TextArea { height: 1fr; border: round $accent; border-title-color: $accent; background: $surface; }
    EditField TextArea:focus { border: round $accent; }
    EditField Static { height: 1; padding: 0 1; color: $text-muted; }
    """

    BINDINGS = [
        Binding("ctrl+s,f2", "take", "take", priority=True),
        Binding("escape", "dismiss(None)", "leave", priority=True),
    ]

    def __init__(self, title: str, text: str) -> None:
        """Make the field.

        Args:
            title: what is edited.
            text: what stands there at first; clean.
        """
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The text, and which keys end it."""
        area = TextArea(self._text, soft_wrap=True, show_line_numbers=True, tab_behavior="indent")
        area.border_title = self._title
        yield area
        yield Static("ctrl+s or F2 takes it   esc does not   (EDITOR names another editor)", markup=False)

    def action_take(self) -> None:
        """Close with the text."""
        self.dismiss(self.query_one(TextArea).text)
