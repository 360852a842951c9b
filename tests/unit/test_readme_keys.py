"""The tables of keys in README name keys that the screens have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.paths import ROOT
from tui import actions

EVERYWHERE = ("app", "list", "table", "text", "form")
"""Scopes whose keys work on several screens."""


def tables() -> Iterator[tuple[str, list[str]]]:
    """The scope of each screen with a table, and the keys that the table names."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    scopes = {place.title: place.scope for place in actions.PLACES}
    for section in re.split(r"^### ", text, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        cells = [line.split("|")[1] for line in body.split("\n## ")[0].splitlines() if line.startswith("| `")]
        keys = [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]
        if title in scopes and keys:
            yield scopes[title], keys


def test_the_tables_name_keys_that_the_screens_have() -> None:
    actions.every()
    found = dict(tables())
    assert {"data", "duplicates", "recipe", "train", "evaluate", "runs"} <= set(found)
    for scope, keys in found.items():
        known = {actions.sign(key) for command in actions.commands([scope, *EVERYWHERE]) for key in command.keys}
        assert set(keys) <= known, scope
