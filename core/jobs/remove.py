"""Deleting a job's folder: what would be deleted, and never one of an active job."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInput, TunedeckError
from core.jobs.access import refuse_read_only
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.units import count


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What is deleted with a job's folder.

    Attributes:
        bytes: of all files; what other folders hold by hard links stays theirs.
        checkpoints: how many.
        trained: whether there is a trained adapter or model.
        compared: whether there are answers of base and tuned model.
        link: where the folder lies if the run is only linked here, so that nothing but the link is deleted; else None.
    """

    bytes: int
    checkpoints: int
    trained: bool
    compared: bool
    link: Path | None = None

    def words(self) -> list[str]:
        """What is in it, for a person: `3 checkpoints`, `the trained weights`."""
        found = [f"{count(self.checkpoints)} checkpoint{'s' * (self.checkpoints != 1)}"] * bool(self.checkpoints)
        found += ["the trained weights"] * self.trained + ["the comparison"] * self.compared
        return [*found, "metrics and log"]


def contents(folder: JobFolder) -> FolderContents:
    """What would be deleted with a folder; takes a moment where there are many files."""
    if folder.path.is_symlink():
        return FolderContents(0, 0, trained=False, compared=False, link=folder.path.resolve())
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


def refuse_to_remove(folder: JobFolder) -> None:
    """Refuses a job that may not be deleted, before anybody is asked.

    Raises:
        BadInput: it is active or queued, this user may only look at it, or it is not a job's folder.
    """
    folder.read_job()
    now = standing(folder)
    if not now.over:
        raise BadInput(f"This run is {now.state}", where=folder.id, do="Stop it or remove it from the queue first")
    if not folder.path.is_symlink():
        refuse_read_only(folder)


def remove(folder: JobFolder) -> None:
    """Deletes a job's folder permanently; of one that is a symbolic link, the link alone.

    Raises:
        BadInput: the job is active or queued, this user may only look at it, or it is not a job's folder.
        TunedeckError: not all of it could be deleted.
    """
    refuse_to_remove(folder)
    if folder.path.is_symlink():
        try:
            folder.path.unlink()
        except OSError as error:
            raise TunedeckError(
                f"Cannot remove the link to the run: {error.strerror}", where=os.fspath(folder.path)
            ) from error
        return
    # Out of the list first: a folder that is half deleted must not be taken for a run.
    aside = folder.path.with_name(f".{folder.id}.deleted")
    try:
        folder.path.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        left = aside if aside.exists() else folder.path
        raise TunedeckError(f"Cannot delete the run: {error.strerror}", where=os.fspath(left)) from error
