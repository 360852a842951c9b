"""Deleting a job's folder: what would go, and never one that somebody works on."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from core.errors import BadInput, TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.state import standing


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What goes with a job's folder.

    Attributes:
        bytes: of all files; what other folders hold by hard links stays theirs.
        checkpoints: how many.
        trained: whether there is a trained adapter or model.
        compared: whether there are answers of base and tuned model.
    """

    bytes: int
    checkpoints: int
    trained: bool
    compared: bool


def contents(folder: JobFolder) -> FolderContents:
    """What would go with a folder; takes a moment where there are many files."""
    size = 0
    for where, _, names in os.walk(folder.path):
        for name in names:
            try:
                found = os.lstat(os.path.join(where, name))
            except OSError:
                continue
            size += found.st_size if found.st_nlink == 1 else 0
    return FolderContents(
        bytes=size,
        checkpoints=sum(1 for _ in folder.checkpoints.glob("checkpoint-*")),
        trained=folder.adapter.is_dir() or (folder.path / "model").is_dir(),
        compared=(folder.evaluation / "summary.json").exists(),
    )


def remove(folder: JobFolder) -> None:
    """Deletes a job's folder for good.

    Raises:
        BadInput: somebody works on it, or it waits in the queue, or it is no job's folder.
        TunedeckError: not all of it could be deleted.
    """
    folder.read_job()
    now = standing(folder)
    if not now.over:
        raise BadInput(f"This run is {now.state}", where=folder.id, do="Stop it first, or take it out of the queue")
    # Out of the list at once: a folder that is half deleted must not be taken for a run.
    aside = folder.path.with_name(f".{folder.id}.deleted")
    try:
        folder.path.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        left = aside if aside.exists() else folder.path
        raise TunedeckError(f"The run could not be deleted: {error.strerror}", where=os.fspath(left)) from error
