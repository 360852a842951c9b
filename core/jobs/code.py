"""The folder from which keepers and workers import `core`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from core.paths import ROOT, cache_dir


def code_root() -> Path:
    """The folder that goes first on the path of another process: it holds `core`.

    In a checkout it is the checkout. An installed `core` lies among all other packages of its environment, which must
    not come before those of the environment that trains, and an upgrade replaces it under a live run: so it is copied,
    once a version, to the user's cache. Where that cannot be written, the installed one has to do.
    """
    if (ROOT / "pyproject.toml").is_file():
        return ROOT
    target = cache_dir() / "code" / _fingerprint()
    if not target.is_dir():
        try:
            _copy(target)
        except OSError:
            return ROOT
    return target


def _fingerprint() -> str:
    """Changes with every file of `core`; from names, sizes and times alone, since reading all would take longer."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "core").rglob("*.*")):
        if path.is_file() and "__pycache__" not in path.parts:
            stat = path.stat()
            found.update(f"{path.relative_to(ROOT)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()[:16]


def _copy(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = tempfile.mkdtemp(dir=target.parent, prefix=".half-")
    try:
        shutil.copytree(ROOT / "core", Path(half) / "core")  # keeps the times, so that its byte code is valid
        os.rename(half, target)
    except OSError:
        shutil.rmtree(half, ignore_errors=True)
        if not target.is_dir():  # another process may have been first
            raise
