"""A line that asks for a file name, with what is wrong with the last answer below it."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.actions import Command, declare
from tui.widgets.path_input import PathInput


class _Answer(PathInput):
    """The field; that enter takes the answer is in the footer."""

    BINDINGS = declare(
        "answer",
        Command("answer.apply", "enter", "submit", "confirm", "Use this path.", 1),
    )


class PathPrompt(Vertical):
    """Asks for one path at a time; hidden while nothing is asked."""

    DEFAULT_CSS = """
    PathPrompt {
        display: none; height: auto; border: round $accent; border-title-color: $accent; padding: 0 1;
    }
    PathPrompt > PathInput { height: 1; border: none; padding: 0; background: $panel; }
    PathPrompt > PathInput:focus { border: none; }
    PathPrompt > #prompt-words { height: auto; color: $text-muted; }
    PathPrompt > #prompt-words.-fault { color: $text-error; text-style: bold; }
    """

    BINDINGS = declare(
        "prompt",
        Command("prompt.cancel", "escape", "cancel", "cancel", "Cancel; nothing changes.", 2, "esc"),
    )

    class Answered(Message):
        """A path was entered."""

        def __init__(self, purpose: str, path: Path) -> None:
            self.purpose = purpose
            self.path = path
            super().__init__()

    class Cancelled(Message):
        """The question was left with esc."""

    def __init__(self, base: Path, *, id: str | None = None) -> None:
        """Make the prompt.

        Args:
            base: the folder that relative paths begin at.
            id: the widget's id.
        """
        super().__init__(id=id)
        self._base = base
        self._purpose = ""

    def compose(self) -> ComposeResult:
        """The field and a line of words."""
        yield _Answer(self._base)
        yield Static("", id="prompt-words", markup=False)

    def ask(self, purpose: str, title: str, words: str, text: str = "") -> None:
        """Ask for a path.

        Args:
            purpose: comes back in `Answered`.
            title: for the border.
            words: what happens with the answer, a sentence.
            text: the answer to begin with.
        """
        self._purpose = purpose
        self.border_title = Content(title)
        self._say(words, fault=False)
        field = self.query_one(PathInput)
        field.value = text
        field.action_end()
        self.display = True
        field.focus()

    def say(self, fault: str) -> None:
        """Show what is wrong with the answer, which stays for correction. The text must be clean."""
        self._say(fault, fault=True)

    def close(self) -> None:
        """Hide the question."""
        self.display = False

    def action_cancel(self) -> None:
        """Leave the question."""
        self.close()
        self.post_message(self.Cancelled())

    def _say(self, words: str, *, fault: bool) -> None:
        line = self.query_one("#prompt-words", Static)
        line.set_class(fault, "-fault")
        line.update(Content(words))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(self.Answered(self._purpose, self._base / Path(event.value.strip()).expanduser()))
