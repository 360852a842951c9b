"""Looks every now and then whether the files of an open dataset are still as they were when it was opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.clean import clean_line
from core.jobs.stamps import stamp

_MOST = 1_000
"""Files that are looked at: each is asked of a disk that may be far away."""

Stamps = Mapping[Path, tuple[str, int, int]]
"""Of each file what `core.jobs.stamps.stamp` says."""


def stamps(files: Sequence[Path]) -> Stamps:
    """How some files are now."""
    return {path: stamp(path) for path in files[:_MOST]}


def changed_words(before: Stamps) -> str:
    """What has happened to the files since, a phrase that says what to do; "" where nothing has."""
    for path, then in before.items():
        now = stamp(path)
        if now == then:
            continue
        name = clean_line(path.name, 60)
        _, size_then, _ = then
        _, size, _ = now
        if min(size, size_then) < 0:
            return f"▲ {name} was moved or deleted: rows read before are still shown"
        how = "got shorter" if size < size_then else "has grown" if size > size_then else "has changed"
        return f"▲ {name} {how} since it was opened: press o to reopen it"
    return ""
