"""Writes the list of commands and their keys: `python -m tui.keys_document > docs/keys.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tui.actions import PARTS, PLACES, SHARED, Command, commands, every, scopes, sign, title_of

_HEAD = """\
# Keys

`?` or `F1` shows the keys of the screen you are on, and `ctrl+p` finds and runs any command. To change keys, put
the command's id and its new keys into `keymap.toml`: see [keymap.md](keymap.md).

This page is generated: `python -m tui.keys_document > docs/keys.md`.

## The same on every screen
"""

_SHARED = {
    "down": "move down",
    "up": "move up",
    "first": "first row or line",
    "last": "last row or line",
    "go to row": "go to a row by its number",
    "search": "search",
    "next hit": "next match",
    "previous hit": "previous match",
    "undo": "undo",
    "keep": "keep",
    "drop": "drop",
    "open": "open what is under the cursor",
    "open other": "open a file, or a run",
    "filter": "filter",
    "copy": "copy to the clipboard",
    "delete": "delete (asks first)",
    "help": "help",
    "quit": "quit",
    "back": "back one level",
    "suspend": "suspend (`fg` resumes)",
}
"""What the shared meanings are in words; the steps have a table of their own."""


def document() -> str:
    """The whole page, as Markdown."""
    every()
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| keys | what they do |\n|---|---|"
    for meaning, words in _SHARED.items():
        yield f"| {' '.join(map(_code, SHARED[meaning]))} | {words} |"
    yield "\nWhile you type text, letters are text; while a question is open, only its own keys work.\n"
    known = ["app", *(place.scope for place in PLACES), *(scope for scope in PARTS if scope != "app")]
    for scope in dict.fromkeys((*known, *sorted(scopes()))):
        if commands([scope]):
            yield f"## {title_of(scope)}\n\n| keys | command | what it does | id |\n|---|---|---|---|"
            yield from map(_row, commands([scope]))
            yield ""


def _row(command: Command) -> str:
    keys = " ".join(map(_code, command.keys))
    return f"| {keys} | {command.label} | {command.help} | `{command.id}` |"


def _code(key: str) -> str:
    return f"`{sign(key)}`"


if __name__ == "__main__":
    sys.stdout.write(document())
