"""Scans of earlier versions of a file, or with other mappings, do not pile up in the workspace."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from core.jobs import files
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import hidden_dir, runs_dir

KEPT = 3
"""Scans of the same files that stay: that of the file as it is, and what one may come back to."""

_FRESH = 3_600.0
"""Seconds within which a scan that was made, or looked for, may be open in another program."""


def sweep_scans(workspace: Path, *, kept: int = KEPT, fresh: float = _FRESH) -> list[Path]:
    """Removes the oldest scans of files that have several.

    Stays, whatever its age: a scan that is running, and one that a run, a report or another job names.

    Args:
        workspace: the folder that holds `.tunedeck`.
        kept: scans that stay for the same files.
        fresh: seconds within which none is removed.

    Returns:
        The folders that were removed.
    """
    by_files: dict[str, list[Path]] = {}
    for job in sorted((hidden_dir(workspace) / "jobs").glob("*/job.json"), reverse=True):  # the newest first
        found = files.read_json(str(job)) or {}
        payload = found.get("payload")
        if found.get("kind") == "scan" and isinstance(payload, dict):
            # A search for near-duplicates is a scan, too, and what it found is wanted beside the flags.
            same = repr((payload.get("paths"), payload.get("near") is not None))
            by_files.setdefault(same, []).append(job.parent)
    old = [path for paths in by_files.values() for path in paths[kept:]]
    if not old:
        return []
    named = list(_texts(workspace))
    removed = []
    for path in old:
        in_use = any(path.name in text for place, text in named if path not in place.parents)
        if in_use or _age(path) < fresh or not standing(JobFolder(path)).over:
            continue
        shutil.rmtree(path, ignore_errors=True)
        removed.append(path)
    return removed


def _texts(workspace: Path) -> Iterator[tuple[Path, str]]:
    """What may name a scan: jobs and reports."""
    places = [(runs_dir(workspace), "*/job.json"), (runs_dir(workspace), "*/data/audit.md")]
    places += [(hidden_dir(workspace) / "jobs", "*/job.json"), (workspace, "audit-*.md")]
    for folder, pattern in places:
        for path in folder.glob(pattern):
            try:
                yield path, path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
