"""A yes-or-no question about one start, in a box over the screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar


class Confirm(ModalScreen[bool]):
    """y says yes this once; esc says no. The result says which."""

    DEFAULT_CSS = """
    Confirm { align: center middle; }
    Confirm > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 90%;
        border: round $warning; border-title-color: $warning; padding: 0 1; background: $surface;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS = declare(
        "confirm",
        Command("confirm.accept", "y", "dismiss(True)", "yes", "Say yes.", 1, decides=True),
        Command("confirm.cancel", "escape,n", "dismiss(False)", "cancel", "Change nothing.", 2),
    )

    def __init__(self, title: str, text: str) -> None:
        """Make the question.

        Args:
            title: the question, short.
            text: what a yes means; clean.
        """
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """The box."""
        box = VerticalScroll(Static(self._text, markup=False))
        box.border_title = self._title
        yield box
        yield KeyBar()
