"""A question that shows exactly what is to be allowed, in a box over the screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from core.jobs.trust import ConsentRequest
from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar


class Agree(ModalScreen[bool]):
    """y allows all that is shown, from now on; esc allows nothing. The result says which."""

    DEFAULT_CSS = """
    Agree { align: center middle; }
    Agree > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 90%;
        border: round $warning; border-title-color: $warning; padding: 0 1; background: $surface;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS = declare(
        "agree",
        Command(
            "agree.allow", "y", "dismiss(True)", "allow", "Allow exactly what is shown, from now on.", 1, decides=True
        ),
        Command("agree.cancel", "escape,n", "dismiss(False)", "cancel", "Do not allow it.", 2),
    )

    def __init__(self, asks: Sequence[ConsentRequest]) -> None:
        """Make the question.

        Args:
            asks: what is to be allowed.
        """
        super().__init__()
        self._text = "\n\n".join(f"{ask.question}" for ask in asks)

    def compose(self) -> ComposeResult:
        """The box."""
        box = VerticalScroll(Static(self._text, markup=False))
        box.border_title = "permission needed"
        box.border_subtitle = "allows exactly this, from now on"
        yield box
        yield KeyBar()
