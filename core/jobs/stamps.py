"""Stamps of files: what tells whether one is still the same, without reading it."""

from __future__ import annotations

import os
from collections.abc import Iterable


def stamp(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    """Absolute path, size and time (nanoseconds) of a file, which tell whether it changed; -1 for one that is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.abspath(path), -1, -1
    return os.path.abspath(path), found.st_size, found.st_mtime_ns


def stamps(paths: Iterable[str | os.PathLike[str]]) -> list[tuple[str, int, int]]:
    """The stamp of each file, and of all files in each folder."""
    found: list[tuple[str, int, int]] = []
    for path in paths:
        inside = [os.path.join(where, name) for where, _, names in os.walk(path) for name in names]
        found += map(stamp, sorted(inside) if os.path.isdir(path) else [path])
    return found
