"""The floor for start-up: the smallest Textual app that shows a text."""

from __future__ import annotations

import sys

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """The line."""
        yield Static("the minimal app shows this")


if __name__ == "__main__":
    Minimal().run()
    sys.exit(0)
