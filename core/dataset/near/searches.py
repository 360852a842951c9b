"""The searches for near-duplicates that a workspace keeps: scan jobs of the duplicates screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.dataset.near.result import RESULT_VERSION
from core.errors import TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import hidden_dir


def last_search(
    workspace: Path,
    paths: Sequence[str],
    format: str | None,
    columns: Mapping[str, str],
    eval_paths: Sequence[str] = (),
) -> Path | None:
    """The folder of the last search of just these data as they are now, or None.

    Args:
        workspace: the folder that holds `.tunedeck`.
        paths: of the data, absolute.
        format: as it was named, None where it is recognised.
        columns: as they were named.
        eval_paths: absolute; a search without eval files counts as well, one with others does not.
    """
    for path in sorted((hidden_dir(workspace) / "jobs").glob("*-near-*"), reverse=True):
        folder = JobFolder(path)
        try:
            payload = folder.read_job().get("payload") or {}
        except TunedeckError:  # damaged, or just being made
            continue
        asked = (payload.get("paths"), payload.get("format"), payload.get("columns") or {})
        if is_outdated(payload):
            continue
        same = asked == (list(paths), format, dict(columns)) and payload.get("eval_paths", []) in ([], list(eval_paths))
        if same and _unchanged(payload.get("stamps") or []) and standing(folder).state == "finished":
            return path
    return None


def is_outdated(payload: Mapping[str, Any]) -> bool:
    """Whether a search job was made by a version that could name a wrong eval row."""
    return bool(payload.get("eval_paths")) and payload.get("near_version", 1) < RESULT_VERSION


def _unchanged(stamps: Sequence[tuple[str, int, int]]) -> bool:
    """Whether files have the size and the time that they had."""
    for path, size, changed in stamps:
        try:
            now = os.stat(path)
        except OSError:
            return False
        if (now.st_size, now.st_mtime_ns) != (size, changed):
            return False
    return bool(stamps)
