"""SHA-256 of files: what checkpoints and saved weights are sealed with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from core.jobs import files

_AT_ONCE = 4
"""Files that are read at the same time: a checkpoint has two or three large ones."""


def checksums(folder: Path, names: Sequence[str], *, sync: bool = False) -> dict[str, str]:
    """Name to SHA-256 of files in a folder.

    Args:
        folder: the folder.
        names: relative to it.
        sync: whether the disk must have each file first.

    Raises:
        OSError: one cannot be read, or the disk cannot have it.
    """
    from concurrent.futures import ThreadPoolExecutor  # 10 ms: not for who only lists checkpoints

    def one(name: str) -> str:
        if sync:
            files.sync(folder / name)
        with open(folder / name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))
