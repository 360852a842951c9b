"""A keeper that is killed gets a successor, and whoever is to hear of the end hears of it once. Real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process, requests, takeover
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.process import Identity
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.jobs.takeover import KeeperTakeover, notify_unseen_ends
from core.jobs.trust import COMMAND, ConsentRequest, workspace_ask
from core.paths import ROOT
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import running, started
from tests.kit.training_runs import events
from tests.kit.waiting import PATIENCE, until
from tui.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[JobFolder]:
    """A job whose end is told to a command that appends the state to a file."""
    command = f'echo "$TUNEDECK_STATE" >> "{tmp_path}/told"'
    ConsentRequest(COMMAND, command).agree()
    workspace_ask(tmp_path).agree()
    reported = {"targets": [command], "seconds": 20}
    payload = {"recipe": {}, "at_end": reported}
    job = JobFolder.create(tmp_path / "runs", "a run", "training", payload=payload)
    yield job
    for one in (keeper(job), job.read_status().worker):
        if one is not None:
            process.send(one, signal.SIGKILL, group=True)


def keeper(folder: JobFolder) -> Identity | None:
    return process.from_json(folder.read_job().get("keeper"))


def reported(folder: JobFolder) -> list[str]:
    """What the command heard, once somebody's telling is over."""
    until(lambda: events(folder, "at_end"), "the end is told")
    return (folder.path.parents[1] / "told").read_text().split()


def orphaned(folder: JobFolder, *stages: str) -> Identity:
    """Starts these stages, kills the keeper while the first one works, and waits for the next keeper."""
    first = launch(folder, [command(stage, folder) for stage in stages])
    started(folder)
    process.send(first, signal.SIGKILL)
    until(lambda: standing(folder).kept and keeper(folder) != first, "another keeper has taken over")
    found = keeper(folder)
    assert found is not None
    return found


def readings(folder: JobFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.gpu.read_bytes().splitlines()] if folder.gpu.exists() else []


def test_the_next_keeper_goes_on_measuring_runs_the_stages_behind_and_tells_of_the_end_once(folder: JobFolder) -> None:
    orphaned(folder, "kept", "ends")
    worker = folder.read_status().worker
    seen = len(readings(folder))
    until(lambda: len(readings(folder)) > seen + 1, "it measures")
    assert worker is not None
    assert worker.pid in readings(folder)[-1]["worker"]["pids"]
    (folder.path / "enough").touch()
    until(lambda: standing(folder).over, "both stages end")
    now = standing(folder)
    assert (now.state, now.detail, now.status.stage) == ("finished", "", 1)
    assert folder.log.read_text() == "trained\n"
    assert reported(folder) == ["finished"]
    notify_unseen_ends(list_runs(folder.path.parents[1]))
    assert len(events(folder, "at_end")) == 1
    (alert,) = events(folder, "alert")
    assert "taken over" in alert["message"]


@pytest.mark.slow
def test_one_keeper_after_the_other_may_be_killed(folder: JobFolder) -> None:
    second = orphaned(folder, "kept")
    process.send(second, signal.SIGKILL)
    until(lambda: standing(folder).kept and keeper(folder) != second, "the third has taken over")
    requests.ask(folder, requests.STOP)
    until(lambda: standing(folder).over, "it stops")
    now = standing(folder)
    assert (now.state, now.status.exit_code) == ("stopped", 3)
    assert now.detail.startswith("Saved at step ")
    assert reported(folder) == ["stopped"]


def test_a_worker_that_is_killed_under_the_next_keeper_has_failed(folder: JobFolder) -> None:
    orphaned(folder, "kept", "ends")
    worker = folder.read_status().worker
    assert worker is not None
    process.send(worker, signal.SIGKILL)
    until(lambda: standing(folder).over, "the job ends")
    assert standing(folder).state == "failed"
    assert "killed or crashed" in folder.read_status().message
    assert reported(folder) == ["failed"]


def test_the_next_keeper_ends_a_deaf_worker_and_what_it_has_started(folder: JobFolder) -> None:
    orphaned(folder, "kept_deaf")
    worker = folder.read_status().worker
    child = process.identify(int((folder.path / "child.pid").read_text()))
    assert process.is_alive(child)
    requests.ask(folder, requests.STOP_NOW)
    until(lambda: not process.is_alive(worker), "the worker is gone")
    until(lambda: standing(folder).over, "the job ends")
    assert standing(folder).state == "stopped"
    assert not process.is_alive(child)


def test_ranks_whose_torchrun_and_keeper_are_killed_are_ended_by_the_next_keeper(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "AGAIN_AFTER", 3600.0)  # as long as the test may take
    first = launch(folder, [command("steps", folder)])
    worker = running(folder)
    ranks = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in "01"]
    named = [process.identify(rank.pid) for rank in ranks]
    folder.write_status(ranks=[one.to_json() for one in named if one])
    process.send(first, signal.SIGKILL)
    process.send(worker, signal.SIGKILL)
    until(lambda: not process.is_alive(worker) and not process.is_alive(first), "both are gone")
    now = standing(folder)
    assert (now.state, now.over) == ("running", False)
    kept = KeeperTakeover(folder, {**os.environ, "PYTHONPATH": str(ROOT)})
    kept.look()  # as rank 0 does
    assert [rank.wait(PATIENCE) for rank in ranks] == [-signal.SIGTERM] * 2
    until(lambda: standing(folder).over, "the job ends")
    assert standing(folder).state == "failed"
    assert reported(folder) == ["failed"]
    until(lambda: not process.is_alive(keeper(folder)), "its keeper ends")
    kept.look()
    spent = os.times()[2:4]
    kept.look()  # what is over has nothing to keep: that is not tried twice a second
    assert os.times()[2:4] == spent, "another process was started"


def test_an_end_that_nobody_saw_is_reported_once_at_the_next_start_and_by_no_list(
    folder: JobFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    first = launch(folder, [command("steps", folder)])
    worker = running(folder)
    process.send(first, signal.SIGKILL)
    process.send(worker, signal.SIGKILL)
    until(lambda: standing(folder).over, "both are gone")
    workspace = os.fspath(folder.path.parents[1])
    assert main(["runs", "--json", "--workspace", workspace]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "lost"
    assert not events(folder, "at_end")
    for _ in range(2):
        notify_unseen_ends(list_runs(workspace))
        assert reported(folder) == ["lost"]
    assert len(events(folder, "at_end")) == 1
    launch(folder, [command("ends", folder)])
    until(lambda: len(events(folder, "at_end")) == 2, "the end of the next start is told, too")
    assert reported(folder) == ["lost", "finished"]
