"""Worker or keeper killed at random points of a real run: readers work, no file is torn, the resume loses nothing."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import launch, worker_command
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.recipe.resume import plan_resume
from tests.e2e.test_resume import _RUN, go_on, logged, straight
from tests.training_runs import make_run
from tests.waiting import until
from tests.warm.process import WarmPython

__all__ = ["straight"]


def lines_written(folder: JobFolder) -> int:
    """How many lines of metrics and events there are: a run's clock that does not depend on the machine's load."""
    files = (folder.metrics, folder.events)
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


def injure(folder: JobFolder, dice: random.Random) -> str:
    """Kill the worker or the keeper after a random number of lines, and wait until nothing of the job lives."""
    victim = dice.choice(["worker", "keeper"])
    at = dice.randint(1, 36)
    until(lambda: lines_written(folder) >= at or standing(folder).over, "the point to kill at", 120)
    status, keeper = folder.read_status(), process.from_json(folder.read_job().get("keeper"))
    target = status.worker if victim == "worker" else keeper
    if target is not None and process.is_alive(target):
        process.send(target, signal.SIGKILL)
    until(lambda: standing(folder).over, "the job to be over", 120)
    return f"{victim} after {at} lines"


def check_readers(folder: JobFolder) -> None:
    """What any viewer does works, and no line is torn."""
    update = Follower(folder).poll(max_records=100_000, max_seconds=10.0)
    assert not update.problem
    assert update.state in ("finished", "failed", "lost")
    assert [run.state for run in list_runs(folder.path.parents[1])] == [update.state]
    for file in (folder.metrics, folder.events, folder.gpu):
        for line in file.read_bytes().splitlines() if file.exists() else ():
            json.loads(line)


def one_crash(workspace: Path, uninterrupted: JobFolder, dice: random.Random) -> None:
    """One run, injured at a random point, looked at, and resumed where there is something to resume from."""
    folder = make_run(workspace / "runs", **_RUN, training__save_every=5.0)
    launch(folder, [worker_command("core.training", folder)])
    how = injure(folder, dice)
    check_readers(folder)
    if standing(folder).state == "finished":
        assert logged(folder) == logged(uninterrupted), how
        return
    try:
        plan_resume(folder)
    except BadInput:
        assert not list(folder.checkpoints.glob("checkpoint-*/tunedeck.json")), how
        return
    assert logged(go_on(folder)) == logged(uninterrupted), how


def crash(times: int, seed: int, tmp_path: Path, straight_run: Callable[..., JobFolder]) -> None:
    """So many crashes, each in a workspace of its own."""
    dice = random.Random(seed)
    for number in range(times):
        workspace = tmp_path / str(number)
        workspace.mkdir()
        one_crash(workspace, straight_run(), dice)


def test_a_few_crashes_lose_nothing(warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder]) -> None:
    crash(3, 7, tmp_path, straight)


@pytest.mark.slow
def test_a_hundred_crashes_lose_nothing(warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder]) -> None:
    crash(100, 11, tmp_path, straight)
