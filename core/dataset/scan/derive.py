"""The scans of a dataset as derived jobs: what they are told, and what their results depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.mapping import AUTO, Chosen
from core.jobs.derived import Derived, digest, one_stage
from core.jobs.stamps import stamps

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

WORKER = "core.dataset.scan.job"

_VERSION = 2
"""Of how rows are read and what a scan finds in them; 1 read all files of a dataset alike."""


def scan_payload(
    dataset: Dataset,
    format: str,
    columns: Mapping[str, str],
    eval_data: Sequence[Path],
    eval_format: str = AUTO,
    eval_columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a scan is told: absolute paths, and how to read them.

    Args:
        dataset: what is open.
        format: what the user has said of its format, or `auto`.
        columns: what the user has said of its columns.
        eval_data: the user's own eval files.
        eval_format: what the user has said of their format.
        eval_columns: and of their columns.
    """
    said = Chosen(eval_format, eval_columns or {})
    return {
        "paths": [str(path.absolute()) for path in dataset.paths],
        "format": Chosen(format).named,
        "columns": dict(columns),
        "eval_paths": [str(path.absolute()) for path in eval_data],
        **({"eval_format": said.format, "eval_columns": dict(said.columns)} if said.said and eval_data else {}),
    }


def scan_job(workspace: Path, dataset: Dataset, payload: Mapping[str, Any]) -> Derived:
    """The scan of just these files; one that was stopped or killed is resumed where it was.

    Args:
        workspace: the folder that holds `.tunedeck`.
        dataset: what is open.
        payload: what the scan is told, see `core.dataset.scan.job.run`.
    """
    from core.dataset.scan.results import SCAN_FOLDER
    from core.dataset.scan.resume import was_begun

    return Derived(
        workspace=workspace,
        name="scan",
        key=scan_key(dataset, payload),
        kind="scan",
        payload=payload,
        stages=one_stage(WORKER),
        can_resume=lambda job: was_begun(job / SCAN_FOLDER),
    )


def scan_key(dataset: Dataset, payload: Mapping[str, Any]) -> str:
    """Changes with the payload, the checks, and size or time of any file."""
    from core import __version__
    from core.dataset.checks import CHECKS
    from core.dataset.formats import READING

    checks = [check.name for check in CHECKS]
    return digest([payload, source_stamps(dataset, payload), checks, _VERSION, __version__, READING])


def source_stamps(dataset: Dataset, payload: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The stamps of a dataset's files and of its eval files."""
    return stamps([*dataset.reader.files, *payload["eval_paths"]])
