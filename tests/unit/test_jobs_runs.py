"""The list of runs and how a run is named by a person."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.runs import find_run, list_runs, newest_run
from tests.kit.jobs_worker import command
from tests.kit.waiting import until


def make(workspace: Path, name: str, created: float) -> JobFolder:
    folder = JobFolder.create(workspace / "runs", name, "training")
    folder.write_job({**folder.read_job(), "created": created})
    return folder


def test_runs_are_listed_newest_first_with_state_step_and_last_losses(tmp_path: Path) -> None:
    old = make(tmp_path, "old", 100.0)
    new = make(tmp_path, "new", 200.0)
    old.write_status(state="finished", ended=150.0, step=30, of=30)
    for step in range(2_000):
        old.append_metric({"step": step, "loss": 2.0, "filler": "x" * 20})
    old.append_metric({"step": 2_000, "eval_loss": 0.5})
    new.append_metric({"loss": math.nan})
    (tmp_path / "runs" / "no job").mkdir()
    (tmp_path / "runs" / "file").touch()
    first, second = list_runs(tmp_path)
    assert (first.id, first.state, first.name) == (new.id, "lost", "new")
    assert first.loss is not None
    assert math.isnan(first.loss)
    assert first.to_json()["loss"] == "nan"
    assert (second.state, second.step, second.of, second.loss, second.eval_loss) == ("finished", 30, 30, 2.0, 0.5)
    assert second.to_json()["folder"] == str(old.path)


def test_workspace_without_runs_has_none(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    with pytest.raises(BadInput, match="No runs"):
        find_run(tmp_path, "last")


def test_run_with_a_torn_job_file_is_listed_as_lost(tmp_path: Path) -> None:
    folder = make(tmp_path, "torn", 1.0)
    folder.job.write_bytes(b'{"id": ')
    (run,) = list_runs(tmp_path)
    assert (run.state, run.name) == ("lost", folder.id)
    assert "job.json" in run.detail


def test_state_is_that_of_the_processes(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path / "runs", "live", "training")
    launch(folder, [command("steps", folder)])
    until(lambda: list_runs(tmp_path)[0].state == "running", "the run shows as running")
    (folder.path / "enough").touch()
    until(lambda: list_runs(tmp_path)[0].state == "finished", "the run shows as finished")


def test_run_is_found_by_id_part_path_or_as_the_last(tmp_path: Path) -> None:
    one = make(tmp_path, "tone", time.time())
    two = make(tmp_path, "style", time.time() + 1)
    assert find_run(tmp_path, one.id).path == one.path
    assert find_run(tmp_path, "tone").path == one.path
    assert find_run(tmp_path, one.id[8:-2]).path == one.path
    assert find_run(tmp_path, str(two.path)).path == two.path
    assert find_run(tmp_path, "last").path == two.path
    with pytest.raises(BadInput, match="2 runs match"):
        find_run(tmp_path, "20")
    with pytest.raises(BadInput, match="No such run"):
        find_run(tmp_path, "nothing")


def test_the_newest_run_is_the_last_by_id_and_other_folders_are_none(tmp_path: Path) -> None:
    assert newest_run(tmp_path) is None
    make(tmp_path, "first", 1_000_000.0)
    newest = make(tmp_path, "second", 2_000_000.0)
    (tmp_path / "runs" / "notes").mkdir()
    assert newest_run(tmp_path) == newest.path
