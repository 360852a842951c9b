"""The searches for near-duplicates that a workspace keeps: scan jobs that make only the checks that need the search."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.near.result import RESULT_VERSION, NearOptions
from core.dataset.scan.derive import WORKER, scan_key, source_stamps
from core.errors import TunedeckError
from core.jobs.derived import Derived, one_stage
from core.jobs.folder import JobFolder
from core.jobs.stamps import stamp
from core.jobs.state import standing
from core.jobs.status import FINISHED
from core.paths import hidden_dir

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.scan.scan import ScanResult

CHECKS = ("near_duplicate", "leak_near", "conflicting_answers")
"""The checks that a search makes."""


def search_job(
    workspace: Path,
    dataset: Dataset,
    payload: Mapping[str, Any],
    options: NearOptions,
    apart: Collection[tuple[str, str]],
) -> Derived:
    """The search of just these files with these options; one that was cancelled is resumed where it was.

    Args:
        workspace: the folder that holds `.tunedeck`.
        dataset: what is open.
        payload: what the scan of these files is told: the search reads them likewise.
        options: what counts as a near-duplicate.
        apart: pairs of row keys that are not duplicates.
    """
    from core.dataset.near.kept import is_kept
    from core.dataset.scan.results import SCAN_FOLDER

    full = {
        **payload,
        "near": {"threshold": options.threshold, "keep": options.keep, "fields": options.fields},
        "near_version": RESULT_VERSION,
        "checks": list(CHECKS),
        "workspace": str(workspace),
        "apart": apart_digest(apart),
        "stamps": [list(each) for each in source_stamps(dataset, payload)],
    }
    return Derived(
        workspace=workspace,
        name="near",
        key=scan_key(dataset, full),
        kind="scan",
        payload=full,
        stages=one_stage(WORKER),
        can_resume=lambda job: is_kept(job / SCAN_FOLDER),
    )


def keep_search(job: Derived, result: ScanResult) -> None:
    """Keeps what another process found, where the Duplicates screen looks for searches.

    Args:
        job: the `search_job` of what was scanned, made before the scan so that it notices changed files.
        result: of a scan with the same options.

    Raises:
        TunedeckError, OSError: it cannot be written; then nothing of it is left.
    """
    from core.dataset.scan.results import SCAN_FOLDER, write_search
    from core.dataset.scan.sweep import sweep_scans

    job.keep(lambda folder: write_search(folder.path / SCAN_FOLDER, result, CHECKS))
    sweep_scans(job.workspace)


def apart_digest(apart: Collection[tuple[str, str]]) -> str:
    """Changes with the pairs that are no duplicates."""
    import hashlib

    return hashlib.blake2b(repr(sorted(apart)).encode(), digest_size=6).hexdigest()


def searches(workspace: Path, payload: Mapping[str, Any]) -> Iterator[tuple[JobFolder, dict[str, Any]]]:
    """The searches of some data with their payloads, whatever their options; the newest first.

    Args:
        workspace: the folder that holds `.tunedeck`.
        payload: values that a search's own must have.
    """
    for path in sorted((hidden_dir(workspace) / "jobs").glob("*-near-*"), reverse=True):
        folder = JobFolder(path)
        try:
            found = folder.read_job().get("payload") or {}
        except TunedeckError:  # damaged, or just being made
            continue
        if _is_outdated(found) or not found.get("near"):
            continue
        if all(found.get(name) == value for name, value in payload.items()):
            yield folder, found


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
        format: as it was named, None where it is recognized.
        columns: as they were named.
        eval_paths: absolute; a search without eval files counts as well, one with others does not.
    """
    for folder, payload in searches(workspace, {"paths": list(paths), "format": format, "columns": dict(columns)}):
        if payload.get("eval_paths", []) not in ([], list(eval_paths)):
            continue
        if _unchanged(payload.get("stamps") or []) and standing(folder).state == FINISHED:
            return folder.path
    return None


def _is_outdated(payload: Mapping[str, Any]) -> bool:
    """Whether a search job was made by a version that could name a wrong eval row, or read some files wrongly."""
    version = payload.get("near_version", 1)
    paths, held = payload.get("paths") or [], payload.get("eval_paths") or []
    several = len(paths) > 1 or any(os.path.isdir(path) for path in paths)
    return (version < 2 and bool(held)) or (version < RESULT_VERSION and several)


def _unchanged(stamps: Sequence[tuple[str, int, int]]) -> bool:
    """Whether files have the size and the time that they had, and some are there."""
    return bool(stamps) and all(stamp(path)[1:] == (size, time) and size >= 0 for path, size, time in stamps)
