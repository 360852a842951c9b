"""Opening a data set beside the screen: files, folders, and what a name of the hub is fetched to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset


def open_dataset(
    paths: tuple[Path, ...],
    format: str,
    columns: Mapping[str, str],
    workspace: Path,
    tell: Callable[[str], object],
) -> Future[Dataset]:
    """Open in a thread: the probing of a large or odd file may take seconds.

    Args:
        paths: files or folders.
        format: the format that the user has chosen, or `auto`.
        columns: the columns that the user has named; with neither, what is kept in the workspace counts.
        workspace: the folder that holds `.tunedeck`.
        tell: told, in the thread, how far the fetching of a data set of the hub is.
    """
    future: Future[Dataset] = Future()

    def work() -> None:
        from core.dataset.dataset import Dataset
        from core.dataset.mapping import Chosen

        try:
            found = [_local(path, workspace, tell) for path in paths]
            future.set_result(Dataset.open_as_said(found, Chosen(format, dict(columns)), workspace))
        except BaseException as error:  # handed on whole: whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=work, name="open data", daemon=True).start()
    return future


def _local(path: Path, workspace: Path, tell: Callable[[str], object]) -> Path:
    """The path itself, or the file of the data set of the hub that it names."""
    if path.exists():
        return path
    from core.dataset.files.hub import HubName, fetch

    inside = path.relative_to(workspace) if path.is_relative_to(workspace) else path
    name = HubName.parse(str(inside))
    return path if name is None else fetch(workspace, name, tell)
