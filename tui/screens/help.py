"""The keys of the screen underneath, from the registry."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import Command, declare


class HelpScreen(ModalScreen[None]):
    """A list of keys with a sentence each; esc or F1 closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 90%;
        border: round $border; border-title-color: $foreground; padding: 0 1; background: $surface;
    }
    """

    BINDINGS = declare(
        "help",
        Command(
            "help.close",
            "escape,f1,question_mark",
            "dismiss",
            "close",
            "Close the help.",
            shows="esc",
            shared="back,help",
        ),
    )

    def __init__(self, title: str, groups: Sequence[tuple[str, Sequence[Command]]]) -> None:
        """Make the help.

        Args:
            title: the screen's title.
            groups: headings, each with its commands.
        """
        super().__init__()
        self._title = title
        self._groups = groups

    def compose(self) -> ComposeResult:
        """One line a key."""
        parts: list[tuple[str, str]] = []
        for heading, commands in self._groups:
            parts.append((f"{heading}\n", "bold"))
            for command in commands:
                if command.aside:
                    continue
                keys = command.shown_key.ljust(10)
                parts.extend([(f"  {keys}", "bold $accent"), (f" {command.help}\n", "")])
            parts.append(("\n", ""))
        parts.append(("esc closes this.", "$text-muted"))
        box = VerticalScroll(Static(Content.assemble(*parts)))
        box.border_title = f"keys: {self._title}"
        yield box
