"""Hub datasets by ID: downloaded once by a job, then a file of the workspace like any other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.paths import hidden_dir

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*(:[\w.+-]+){0,2}")
_APART = "--"
_LOOK = 0.2
WORKER = "core.engine.fetch_data"


@dataclass(frozen=True, slots=True)
class HubName:
    """A Hub dataset ID: `org/name`, `org/name:split`, `org/name:config:split`.

    Attributes:
        repo: `org/name`.
        parts: config and split as far as they are named, in any order.
    """

    repo: str
    parts: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> HubName | None:
        """The name that a text is; None for what is a path, there or not, or looks like one."""
        if not _NAME.fullmatch(text) or Path(text).exists():
            return None
        # Not for the worker, whose interpreter may have no orjson.
        from core.dataset.files.sources import DATA_SUFFIXES, PACKED_SUFFIXES

        repo, *parts = text.split(":")
        folder, name = repo.split("/")
        if Path(folder).is_dir() or name.lower().endswith((*DATA_SUFFIXES, *PACKED_SUFFIXES, ".gz", ".zst", ".yaml")):
            return None
        return cls(repo, tuple(parts))

    def __str__(self) -> str:
        return ":".join((self.repo, *self.parts))

    def folder(self, workspace: str | Path) -> Path:
        """Where the workspace keeps it."""
        return hidden_dir(Path(workspace)) / "hub" / self.repo.replace("/", _APART)

    def fetched(self, workspace: str | Path) -> Path | None:
        """The file that was fetched before, where that is one only."""
        found = []
        for path in self.folder(workspace).glob("*.jsonl"):
            config, _, split = path.stem.partition(_APART)
            if all(part in (config, split) for part in self.parts):
                found.append(path)
        return found[0] if len(found) == 1 else None


def file_name(config: str, split: str) -> str:
    """What the file of a config's split is called."""
    return f"{re.sub(r'[^A-Za-z0-9_.+-]|--', '_', config)}{_APART}{split}.jsonl"


def start_fetch(workspace: Path, name: HubName) -> JobFolder:
    """Starts the job that downloads a dataset; `name.fetched(workspace)` is there when it has finished.

    Raises:
        TunedeckError: no job can be started.
    """
    from core.jobs.folder import JobFolder
    from core.jobs.launch import launch, worker_command

    payload = {"name": name.repo, "parts": list(name.parts), "into": str(name.folder(workspace).absolute())}
    folder = JobFolder.create(hidden_dir(workspace) / "jobs", name.repo.replace("/", "-"), "fetch", payload=payload)
    launch(folder, [worker_command(WORKER, folder)])
    return folder


def fetch(workspace: Path, name: HubName, on_progress: Callable[[str], object]) -> Path:
    """The file of a Hub dataset, downloaded first where it is not here yet. Waits, so call it in a thread.

    Args:
        workspace: the folder that holds `.tunedeck`.
        name: the dataset.
        on_progress: told a few times a second how far it is, in words.

    Raises:
        BadInput: it cannot be fetched, with the reason.
        TunedeckError: no job can be started.
    """
    from core.jobs import requests

    path = name.fetched(workspace)
    if path is not None:
        return path
    on_progress(f"{name}: starting")  # a refusal may come before the first look
    folder = start_fetch(workspace, name)
    try:
        while (path := outcome(folder, name, workspace)) is None:
            status = folder.read_status()
            rows = f"{status.step:,}" if status.step else ""
            of = f" of {status.of:,}" if rows and status.of else ""
            on_progress(f"{name}: {status.phase or 'starting'}" + (f", {rows}{of} rows" if rows else ""))
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        requests.ask(folder, requests.STOP)
        raise
    return path


def outcome(folder: JobFolder, name: HubName, workspace: Path) -> Path | None:
    """The file that a fetch has made; None while it runs.

    Raises:
        BadInput: it has ended without one, with the reason.
    """
    from core.jobs.state import standing

    now = standing(folder)
    if not now.over:
        return None
    path = name.fetched(workspace)
    if now.state != "finished" or path is None:
        raise BadInput(now.status.message or now.detail or "the download was stopped", where=str(name))
    return path
