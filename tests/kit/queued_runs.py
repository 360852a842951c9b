"""Queued runs whose workers are stand-ins: their commands are made by our own code, the interpreter is another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import enqueue
from core.jobs.queue import Queue
from core.jobs.queue_runner import entry_of
from core.jobs.trust import workspace_ask
from core.recipe.recipe import Recipe, put, to_json
from core.runs.commands import commands_of
from tests.kit.jobs_worker import HERE

_STAND_IN = f"""#!/bin/sh
exec "{sys.executable}" "{HERE}" "$(cat "$3/how")" "$3"
"""


def use_stand_ins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets workers be those of `tests.kit.jobs_worker`; what each does is in the file `how` of its run."""
    shim = folder / "stand-in"
    shim.write_text(_STAND_IN)
    shim.chmod(0o755)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(shim))


def wait_in(
    queue: Queue,
    how: str,
    *,
    name: str = "",
    devices: str = "cpu",
    at: float = 0,
    free_bytes: int = 0,
    after: JobFolder | None = None,
) -> JobFolder:
    """A queued run of a stand-in worker, in a workspace that the user has agreed to; nobody starts it yet."""
    workspace_ask(queue.workspace).agree()
    recipe = put(Recipe(), "training.devices", devices)
    payload = {"recipe": to_json(recipe)}
    folder = JobFolder.create(queue.workspace / "runs", name or how, "training", payload=payload)
    (folder.path / "how").write_text(how)
    stages, environment = commands_of(folder)
    enqueue(folder, stages, env=environment)
    before = "" if after is None else after.id
    queue.add(entry_of(folder, (devices,), free_bytes=free_bytes, not_before=at, after=before))
    return folder
