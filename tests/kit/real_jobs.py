"""A job with a real keeper and a real worker, and waiting for what becomes of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.gpu.host import tree
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.process import Identity
from core.jobs.state import JobState, standing
from tests.kit.killing import kill
from tests.kit.waiting import until


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[JobFolder]:
    job = JobFolder.create(tmp_path / "runs", "a run", "training")
    yield job
    if job.exists():
        _end(job)


def _end(job: JobFolder) -> None:
    """Leaves no process behind, however the test ended."""
    keeper = process.from_json(job.read_job().get("keeper"))
    if process.is_alive(keeper):
        assert keeper is not None
        kill(*reversed(tree(keeper.pid)))
    worker = job.read_status().worker
    if worker is not None:
        process.send(worker, signal.SIGKILL, group=True)


def ended(folder: JobFolder) -> JobState:
    return until(lambda: (now := standing(folder)).over and now, "the job has ended") or standing(folder)


def running(folder: JobFolder) -> Identity:
    """Waits until the worker counts steps."""
    until(lambda: (folder.read_status().step or 0) > 2, "the worker counts steps")
    return _worker(folder)


def started(folder: JobFolder) -> Identity:
    """Waits until the worker says that it runs."""
    until(lambda: folder.read_status().state == "running", "the worker runs")
    return _worker(folder)


def _worker(folder: JobFolder) -> Identity:
    """The worker, once its keeper has written who it is: a busy machine may let the worker speak before."""
    worker = until(lambda: folder.read_status().worker, "the keeper names the worker")
    assert worker is not None
    return worker


def events(folder: JobFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.events.read_bytes().splitlines()]


def answers(folder: JobFolder, name: str) -> list[str]:
    return [event["answer"] for event in events(folder) if event.get("request") == name and "answer" in event]
