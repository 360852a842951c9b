"""A text field for a path, completed from the disk as in a shell."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.events import Key
from textual.suggester import Suggester
from textual.widgets import Input

from tui.actions import Command, declare
from tui.terminal.own_keys import obey

_MOST_NAMES = 5_000
"""Names of one folder that are looked at; a folder may hold millions."""


def completion(text: str, base: Path) -> str | None:
    """The text extended to the first path that begins so; None where there is none.

    Folders come before files and end with a slash. Names with control characters are left out: the field would show
    them as they are.

    Args:
        text: what stands in the field, `~` allowed.
        base: the folder that relative paths begin at.
    """
    head, tail = os.path.split(text)
    folder = base / Path(head).expanduser() if head else base
    try:
        with os.scandir(folder) as entries:
            found = []
            for number, entry in enumerate(entries):
                if number >= _MOST_NAMES:
                    break
                hidden = entry.name.startswith(".") and not tail.startswith(".")
                if entry.name.startswith(tail) and entry.name.isprintable() and not hidden:
                    found.append((not entry.is_dir(), entry.name))
    except OSError:
        return None
    if not found:
        return None
    is_file, name = min(found)
    completed = os.path.join(head, name) + ("" if is_file else "/")
    return completed if completed != text else None


class _PathSuggester(Suggester):
    """Looks the disk up in a thread, so that a slow one never holds up typing."""

    def __init__(self, base: Path) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._base = base

    async def get_suggestion(self, value: str) -> str | None:
        """The first path that begins with what was typed."""
        if not value:
            return None
        return await asyncio.to_thread(completion, value, self._base)


class PathInput(Input):
    """A field for a path; tab and right take the completion that is shown."""

    BINDINGS = declare(
        "path",
        Command("path.complete", "tab", "complete", "complete", "Accept the suggested path."),
    )

    def __init__(self, base: Path, *, placeholder: str = "", select: bool = True, id: str | None = None) -> None:
        """Make the field.

        Args:
            base: the folder that relative paths begin at.
            placeholder: what stands in the empty field.
            select: whether coming to the field selects what stands in it, so that the next key replaces it.
            id: the widget's id.
        """
        super().__init__(placeholder=placeholder, suggester=_PathSuggester(base), select_on_focus=select, id=id)

    async def press(self, event: Key) -> bool:
        """Do what a key does in this field, with or without the focus; False where it does nothing here."""
        if event.is_printable and event.character is not None:
            self.replace(event.character, *self.selection)
            return True
        return await obey(self, event.key)

    async def on_key(self, event: Key) -> None:
        """Take characters and cursor keys in the order in which they come."""
        if await self.press(event):
            event.stop()
            event.prevent_default()

    def action_complete(self) -> None:
        """Accept the completion; where there is none, go to the next field as tab does elsewhere."""
        before = self.value
        self.action_end()
        self.action_cursor_right()
        if self.value == before:
            self.screen.focus_next()
