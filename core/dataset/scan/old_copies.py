"""Copies of data in the workspace that nothing refers to any more: what came through pipes, what the hub gave.

A copy of a pipe goes once it is old; one of the hub is only told of, since fetching it again takes a network.
"""

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
"""Copies of pipes that stay, whatever refers to them."""

_FRESH = 7 * 86_400.0
"""Seconds within which a copy that was made, or made again, may still be wanted."""

_KEYS_AT_ONCE = 4_096


def sweep_piped(workspace: Path, *, kept: int = KEPT, fresh: float = _FRESH) -> list[Path]:
    """Removes old copies of pipes with their scans, and what a reader that was killed has left.

    Stays, whatever its age: a copy that a run, a recipe of the workspace, a report or an audit names, one of whose rows
    something was decided, one whose mapping was set by hand, and one that has been scanned but whose job still runs.

    Args:
        workspace: the folder that holds `.tunedeck`.
        kept: the newest, which stay.
        fresh: seconds within which none is removed.

    Returns:
        The files that were removed.

    Raises:
        TunedeckError: the decisions cannot be read, so nothing is removed.
    """
    found = sorted((hidden_dir(workspace) / "piped").glob("*"), key=_made, reverse=True)
    copies = [path for path in found if not path.name.startswith("reading-")]
    old = [path for path in (*copies[kept:], *set(found).difference(copies)) if time.time() - _made(path) >= fresh]
    if not old:
        return []
    from core.dataset.audit.store import read_ledger

    texts = list(_texts(workspace))
    decided = set(read_ledger(workspace).standings())
    removed = []
    for path in old:
        scans = list(_scans(workspace, path))
        if any(path.name in text for text in texts) or any(_decided(scan, decided) for scan in scans):
            continue
        for scan in scans:
            shutil.rmtree(scan, ignore_errors=True)
        path.unlink(missing_ok=True)
        removed.append(path)
    return removed


def unnamed_hub_copies(workspace: Path) -> list[tuple[Path, int]]:
    """The folders of fetched datasets that no run, recipe, report or audit names, each with its bytes."""
    folders = sorted(path for path in (hidden_dir(workspace) / "hub").glob("*") if path.is_dir())
    texts = list(_texts(workspace)) if folders else []
    unnamed = [path for path in folders if not any(path.name in text for text in texts)]
    return [(path, sum(each.stat().st_size for each in path.rglob("*") if each.is_file())) for path in unnamed]


def _texts(workspace: Path) -> Iterator[str]:
    """What may name a copy, other than a scan of it."""
    hidden = hidden_dir(workspace)
    places = [(runs_dir(workspace), "*/job.json"), (runs_dir(workspace), "*/data/audit.md"), (workspace, "*.yaml")]
    places += [(workspace, "*.yml"), (workspace, "audit-*.md"), (hidden, "audits.jsonl"), (hidden, "mappings.jsonl")]
    for folder, pattern in places:
        for path in folder.glob(pattern):
            try:
                yield path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue


def _scans(workspace: Path, copy: Path) -> Iterator[Path]:
    """The jobs that have worked on a copy."""
    for path in (hidden_dir(workspace) / "jobs").glob("*/job.json"):
        payload = (files.read_json(str(path)) or {}).get("payload")
        if isinstance(payload, dict) and copy.name in str(payload):
            yield path.parent


def _decided(scan: Path, decided: set[str]) -> bool:
    """Whether something was decided on a row of a scan, or it still runs."""
    if not standing(JobFolder(scan)).over:
        return True
    from core.dataset.scan.keys import KEY_BYTES, unpack

    try:
        with (scan / "scan" / "keys.bin").open("rb") as stream:
            while packed := stream.read(KEY_BYTES * _KEYS_AT_ONCE):
                places = range(0, len(packed) - KEY_BYTES + 1, KEY_BYTES)
                if any(unpack(packed[place : place + KEY_BYTES]) in decided for place in places):
                    return True
    except OSError:
        return False
    return False


def _made(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()
