"""Worker, keeper or viewer killed at random points of a real run: readers work, no file is torn, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import launch, worker_command
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.jobs.trust import COMMAND, ConsentRequest
from core.runs.resume import plan_resume
from tests.e2e.test_resume import go_on, logged, run_to_end
from tests.kit.training_runs import events, make_run, talk
from tests.kit.waiting import until
from tests.kit.walk import ENV, TUNEDECK, open_deck
from tests.kit.warm.process import WarmPython

VICTIMS = ("worker", "keeper", "viewer")
SIDE_BY_SIDE = 2
_RUN: dict[str, Any] = {
    "lora__dropout": 0.1,
    "training__batch_size": 2,
    "training__gradient_accumulation": 2,
    "training__max_steps": 10,
    "training__eval_every": 4.0,
    "training__warmup": 0.1,
    "evaluation__after_training": False,
}
_SAMPLES = [talk(number) for number in range(16)]
"""Four steps an epoch, so that samples are dealt anew twice."""
_LINES = 30
"""Of metrics and events, that such a run with its checkpoints writes."""


def lines_written(folder: JobFolder) -> int:
    """How many lines of metrics and events there are: a run's clock that does not depend on the machine's load."""
    files = (folder.metrics, folder.events)
    return sum(file.read_bytes().count(b"\n") for file in files if file.exists())


@contextmanager
def viewer(folder: JobFolder, kind: str) -> Iterator[Callable[[], None]]:
    """Somebody who watches the run: the app on its live screen, or `tail`; yields how to kill it."""
    workspace = folder.path.parents[1]
    if kind == "tail":
        environment = {**os.environ, **ENV}
        command = [*TUNEDECK, "tail", folder.id]
        with subprocess.Popen(command, cwd=workspace, env=environment, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            program.stdout.readline()
            yield program.kill
        return
    with open_deck(workspace, "attach", folder.id) as terminal:
        terminal.wait_for("3 TRAIN")
        yield terminal.kill


def kill(folder: JobFolder, victim: str, at: int, kind: str) -> None:
    """Kill somebody after a number of lines, and wait until the run is over."""
    if victim == "viewer":
        with viewer(folder, kind) as end_viewer:
            until(lambda: lines_written(folder) >= at or standing(folder).over, "the point to kill at", 120)
            end_viewer()
    else:
        until(lambda: lines_written(folder) >= at or standing(folder).over, "the point to kill at", 120)
        keeper = process.from_json(folder.read_job().get("keeper"))
        target = folder.read_status().worker if victim == "worker" else keeper
        if target is not None:
            process.send(target, signal.SIGKILL)
    until(lambda: standing(folder).over, "the job to be over", 120)


def check_readers(folder: JobFolder) -> None:
    """What any viewer does works, and no line is torn."""
    update = Follower(folder).poll(max_records=100_000, max_seconds=10.0)
    assert not update.problem
    assert [run.state for run in list_runs(folder.path.parents[1])] == [update.state]
    for file in (folder.metrics, folder.events, folder.gpu):
        for line in file.read_bytes().splitlines() if file.exists() else ():
            json.loads(line)


def one_crash(workspace: Path, uninterrupted: JobFolder, victim: str, at: int, kind: str) -> None:
    """One run in which somebody is killed, looked at, and resumed where there is something to resume from."""
    how = f"{victim} {kind if victim == 'viewer' else ''} after {at} lines"
    folder = make_run(workspace / "runs", _SAMPLES, **_RUN, training__save_every=3.0)
    if victim == "keeper":
        command = f'echo "$TUNEDECK_STATE" >> "{workspace}/told"'
        ConsentRequest(COMMAND, command).agree()
        reported = {"targets": [command], "seconds": 60}
        folder.write_job({**folder.read_job(), "payload": {**_payload(folder), "at_end": reported}})
    launch(folder, [worker_command("core.training", folder)])
    kill(folder, victim, at, kind)
    check_readers(folder)
    state = standing(folder).state
    if victim != "worker":
        assert state == "finished", how
        assert logged(folder) == logged(uninterrupted), how
    if victim == "keeper":
        until(lambda: events(folder, "at_end"), f"the end is told: {how}", 60)
        assert (workspace / "told").read_text().split() == ["finished"], how
    if state == "finished":
        return
    assert state == "failed", how
    if plan_resume(folder).checkpoint is None:  # then it starts again, and is as if nothing had happened
        assert not list(folder.checkpoints.glob("checkpoint-*/tunedeck.json")), how
    assert logged(go_on(folder)) == logged(uninterrupted), how


def _payload(folder: JobFolder) -> dict[str, Any]:
    payload: dict[str, Any] = folder.read_job()["payload"]
    return payload


def crash(times: int, seed: int, tmp_path: Path) -> None:
    """So many crashes, two at a time, each in a workspace of its own; each kind of victim equally often."""
    dice = random.Random(seed)
    uninterrupted = run_to_end(make_run(tmp_path / "whole", _SAMPLES, **_RUN))
    assert uninterrupted.read_status().state == "finished"
    rounds = []
    for number in range(times):
        workspace = tmp_path / str(number)
        workspace.mkdir()
        kind = ("app", "tail")[number // len(VICTIMS) % 2]
        victim = VICTIMS[number % len(VICTIMS)]
        rounds.append(partial(one_crash, workspace, uninterrupted, victim, dice.randint(1, _LINES - 2), kind))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        for done in [threads.submit(one) for one in rounds]:
            done.result()


def test_three_crashes_lose_nothing(warm: WarmPython, tmp_path: Path) -> None:
    """As many as have to be in every run of the suite."""
    crash(3, 7, tmp_path)


@pytest.mark.slow
def test_a_hundred_crashes_lose_nothing(warm: WarmPython, tmp_path: Path) -> None:
    crash(100, 11, tmp_path)
