"""Writes the list of commands and their keys: `python -m tui.keys_document > docs/keys.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tui.actions import STEPS, Command, character, commands, every, scopes

_HEAD = """\
# Commands and keys

Every command of the app, by the part of the app in which it works, with its id and its keys.
[keymap.md](keymap.md) says how to give a command other keys. This page is written by
`python -m tui.keys_document > docs/keys.md`.
"""


def document() -> str:
    """The whole page, as Markdown."""
    every()
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    first = ["app", *(name for _, name, _ in STEPS)]
    yield _HEAD
    for scope in (*first, *sorted(set(scopes()) - set(first))):
        yield f"## {scope}\n\n| id | keys | what it does |\n|---|---|---|"
        yield from map(_row, commands([scope]))
        yield ""


def _row(command: Command) -> str:
    keys = " ".join(f"`{character(key).strip() or key}`" for key in command.keys)
    return f"| `{command.id}` | {keys} | {command.help} |"


if __name__ == "__main__":
    sys.stdout.write(document())
