"""Editing a row's JSON within the program, where the user has named no editor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from tui.actions import Command, declare
from tui.terminal.own_keys import commands_on, obey
from tui.widgets.key_bar import KeyBar

_HELP = "Set EDITOR to use your own editor."
_SURE = "▲ Unsaved changes: press esc again to discard them, ctrl+s to save."


class _Area(TextArea):
    """The text; every key is done here and at once, so that keys typed ahead keep their order."""

    BINDINGS = declare(
        "edit",
        Command("edit.apply", "ctrl+s,f2", "screen.apply", "save", "Save the text and close.", 1),
        Command("edit.cancel", "escape", "screen.cancel", "cancel", "Close and discard the changes.", 2),
    )

    async def on_key(self, event: Key) -> None:
        """Keys that end the edit, and cursor keys; characters are TextArea's own."""
        screen = self.screen
        assert isinstance(screen, EditField)
        if not commands_on(self, event.key):
            screen.ask_again()
            if event.is_printable or event.key in ("enter", "tab"):  # text: a line's end, an indent
                return
        if not await obey(self, event.key):
            return
        event.stop()
        event.prevent_default()


class EditField(ModalScreen[str | None]):
    """A text of many lines; the result is the text, or None if nothing is to change."""

    DEFAULT_CSS = """
    EditField TextArea { height: 1fr; border: round $accent; border-title-color: $accent; background: $surface; }
    EditField TextArea:focus { border: round $accent; }
    EditField Static { height: 1; padding: 0 1; color: $text-muted; }
    EditField Static.-sure { color: $text-warning; text-style: bold; }
    """

    def __init__(self, title: str, text: str) -> None:
        """Make the field.

        Args:
            title: what is edited.
            text: what stands there at first; clean.
        """
        super().__init__()
        self._title = title
        self._text = text
        self._ended = False
        self._asked = False

    def compose(self) -> ComposeResult:
        """The text, and which keys end it."""
        area = _Area(self._text, soft_wrap=True, show_line_numbers=True, tab_behavior="indent")
        area.border_title = self._title
        yield area
        yield Static(_HELP, markup=False)
        yield KeyBar()

    def action_apply(self) -> None:
        """Close with the text."""
        self._end(self.query_one(TextArea).text)

    def action_cancel(self) -> None:
        """Close without the text; one that was changed only at the second press."""
        if self._asked or self.query_one(TextArea).text == self._text:
            self._end(None)
            return
        self._asked = True
        self._say(_SURE)

    def ask_again(self) -> None:
        """The next esc asks again: something else was pressed."""
        if self._asked:
            self._asked = False
            self._say(_HELP)

    def _say(self, words: str) -> None:
        line = self.query_one(Static)
        line.set_class(self._asked, "-sure")
        line.update(words)

    def _end(self, text: str | None) -> None:
        if not self._ended:  # a second key of the same burst finds the field closed
            self._ended = True
            self.dismiss(text)
