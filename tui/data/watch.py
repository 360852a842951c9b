"""Looks every now and then whether the files of an open data set are still as they were when it was opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.clean import clean_line

_MOST = 1_000
"""Files that are looked at: each is asked of a disk that may be far away."""

Stamps = Mapping[Path, tuple[int, int] | None]
"""Of each file its size and time (nanoseconds), None for one that is gone."""


def stamps(files: Sequence[Path]) -> Stamps:
    """How some files are now."""
    return {path: _stamp(path) for path in files[:_MOST]}


def changed_words(before: Stamps) -> str:
    """What has happened to the files since, a phrase that says what to do; "" where nothing has."""
    for path, stamp in before.items():
        now = _stamp(path)
        if now == stamp:
            continue
        name = clean_line(path.name, 60)
        if now is None or stamp is None:
            return f"▲ {name} is gone from its place: what was read of it still shows"
        how = "is shorter" if now[0] < stamp[0] else "has grown" if now[0] > stamp[0] else "was written to"
        return f"▲ {name} {how} since it was opened: o opens it anew"
    return ""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
