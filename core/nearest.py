"""Suggestions for a mistyped word or file name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_STEM_SIMILARITY = 0.75
"""How similar a file name must be, without its extension, to be suggested."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; "" where none is near."""
    import difflib  # only where something is wrong already

    return next(iter(difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), "")


def nearest_file(path: Path) -> str:
    """The file or folder that was probably meant by a path that does not exist; "" where none beside it is near."""
    try:
        names = {entry.name.lower(): entry.name for entry in os.scandir(path.parent) if not entry.name.startswith(".")}
    except OSError:
        return ""
    import difflib

    word = path.name.lower()
    for found in difflib.get_close_matches(word, list(names), n=5, cutoff=0.6):
        # The stem alone counts, or two short names with one ending would be near: `nothere.jsonl`, `one.jsonl`.
        if difflib.SequenceMatcher(None, _stem(word), _stem(found)).ratio() >= _STEM_SIMILARITY:
            return str(path.with_name(names[found]))
    return ""


def _stem(name: str) -> str:
    """A name without its endings; the whole of one that begins with a point."""
    return re.sub(r"(?<=.)\..*", "", name)
