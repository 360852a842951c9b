"""All that is said about one field, on a screen of its own."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar


class FieldHelp(ModalScreen[None]):
    """A text in a box; esc or F1 closes it."""

    DEFAULT_CSS = """
    FieldHelp { align: center middle; }
    FieldHelp > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 90%;
        border: round $border; border-title-color: $accent; padding: 0 1; background: $surface;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS = declare(
        "field_help",
        Command(
            "field_help.close",
            "escape,f1",
            "dismiss",
            "close",
            "Close the help on a field.",
            1,
            shared="back,help",
        ),
    )

    def __init__(self, title: str, text: Content) -> None:
        """Make the screen.

        Args:
            title: for the border; clean.
            text: what is shown.
        """
        super().__init__()
        self._title = title
        self._text = text

    def compose(self) -> ComposeResult:
        """The box."""
        box = VerticalScroll(Static(self._text))
        box.border_title = Content(self._title)
        yield box
        yield KeyBar()
