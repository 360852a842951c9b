"""Which active runs use the same devices: a second run there takes time and memory from the first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.gpu.readings import GpuSample
from core.gpu.selection import VARIABLE
from core.jobs import files
from core.jobs.folder import JobFolder
from core.jobs.queue_rules import device_set, device_words
from core.jobs.state import standing
from core.jobs.status import QUEUED


def same_device_runs(runs: Path, visible: str | None, gpus: Sequence[GpuSample], own: str) -> list[tuple[str, str]]:
    """The active runs of a workspace, on this machine, on devices that a run is about to use.

    Args:
        runs: the folder of the runs.
        visible: `CUDA_VISIBLE_DEVICES` of the run, None where it is left open.
        gpus: those that can be read.
        own: the id of the run itself, which counts as starting since its folder was made.

    Returns:
        Of each its id and the devices that both use, in words.
    """
    wanted = device_set(visible, gpus)
    found = []
    for folder in map(JobFolder, sorted(_folders(runs))):
        status = folder.read_status()
        if folder.id == own or status.over or status.state in ("", QUEUED):
            continue
        job = files.read_json(os.fspath(folder.job))
        if job is None or job.get("host") != os.uname().nodename or standing(folder, job=job).over:
            continue
        env: Mapping[str, Any] = job.get("env") or {}
        taken = device_set(env.get(VARIABLE), gpus)
        shared = tuple(name for name in wanted if name in taken)
        if shared:
            found.append((folder.id, device_words(shared)))
    return found


def _folders(runs: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(runs) if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
