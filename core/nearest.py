"""What was probably meant by a mistyped word or file name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


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
    found = nearest(path.name, names)
    return str(path.with_name(names[found])) if found else ""
