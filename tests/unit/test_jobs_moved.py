"""A run whose folder is moved while it runs goes on where it lies now; who follows it says so, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from core.engine.worker import Worker
from core.errors import BadInput
from core.jobs import folder as folders
from core.jobs import process, requests
from core.jobs.files import JobGone
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import launch
from core.jobs.runs import find_run, run_info
from core.jobs.state import standing
from core.training.saving import write_whole
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import ended, events, folder, running
from tests.kit.waiting import until

__all__ = ["folder"]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("what", ["run", "runs"])
def test_what_holds_a_folder_writes_where_it_lies_now_and_back_again(folder: JobFolder, what: str) -> None:
    folder.hold()
    old, place = folder.path, folder.path if what == "run" else folder.path.parent
    aside = place.with_name("archive")
    folder.append_metric({"step": 1})
    place.rename(aside)
    folder.append_metric({"step": 2})
    folder.write_status(step=2)
    assert folder.path == (aside if what == "run" else aside / old.name)
    assert folder.former == [old]
    assert not old.exists(), "no half folder is made where it was"
    aside.rename(place)
    folder.append_metric({"step": 3})
    assert folder.path == old
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3]
    assert folder.read_status().step == 2
    other = JobFolder(old)
    place.rename(aside)
    with pytest.raises(BadInput):
        other.read_job()  # it had not looked before
    aside.rename(place)


def test_a_deleted_folder_is_deleted_and_not_moved(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.hold()
    folder.check()
    shutil.copytree(folder.path, copy := folder.path.with_name("copy"))  # as `mv` to another disk does
    shutil.rmtree(folder.path)
    monkeypatch.setattr(folders, "GONE_AFTER", 0.0)
    with pytest.raises(JobGone, match="deleted"):
        folder.append_metric({"step": 1})
    assert not (copy / "metrics.jsonl").exists()


def test_a_viewer_follows_it_and_the_list_knows_its_old_name(folder: JobFolder) -> None:
    me = process.identify(os.getpid())
    assert me is not None
    folder.write_job({**folder.read_job(), "keeper": me.to_json()})
    folder.write_status(state="running")
    follower = Follower(JobFolder(folder.path))
    folder.append_metric({"step": 1})
    assert len(follower.poll().metrics) == 1
    old = folder.id
    moved = JobFolder(folder.path.rename(folder.path.with_name("renamed")))
    moved.append_metric({"step": 2})
    update = follower.poll()
    assert (update.state, update.problem, update.restarted) == ("running", "", ())
    assert [line["step"] for line in update.metrics] == [2]
    assert follower.folder.path == moved.path
    workspace = moved.path.parents[1]
    assert find_run(workspace, old).path == moved.path
    assert run_info(moved).state == "running"
    moved.write_job({**moved.read_job(), "keeper": None})  # nothing is left behind that could be killed


def test_a_save_that_a_move_interrupts_lands_where_the_folder_lies_now(folder: JobFolder) -> None:
    worker = Worker(folder)
    target, aside = folder.checkpoints / "checkpoint-5", folder.path.with_name("archive")

    def write(place: Path) -> None:
        place.mkdir()
        (place / "weights").write_bytes(b"w")
        if not aside.exists():
            folder.path.rename(aside)
        (place / "optimizer").write_bytes(b"o")

    write_whole(worker, target, write)
    assert {path.name for path in (aside / "checkpoints" / "checkpoint-5").iterdir()} == {"weights", "optimizer"}
    assert not target.exists()
    aside.rename(target.parents[1])


def test_a_running_job_is_moved_and_its_keeper_says_so_and_starts_the_next_stage_there(folder: JobFolder) -> None:
    keeper = launch(folder, [command("kept", folder), command("ends", folder)])
    worker = running(folder)
    old = folder.path
    moved = JobFolder(old.rename(old.with_name("renamed")))
    (said,) = until(lambda: [one for one in events(moved) if one["kind"] == "moved"], "it is an event")
    assert str(old) in said["message"]
    assert str(moved.path) in said["message"]
    assert standing(moved).state == "running"
    before = moved.read_status().step or 0
    process.send(keeper, signal.SIGKILL)  # the next one hears of it from the worker
    until(lambda: moved.read_job()["keeper"] != keeper.to_json(), "another keeper takes over")
    until(lambda: (moved.read_status().step or 0) > before, "it goes on")
    (moved.path / "enough").touch()
    now = ended(moved)
    assert (now.state, now.status.stage) == ("finished", 1), now.detail
    assert moved.log.read_text().endswith("trained\n")
    steps = [line["step"] for line in lines(moved.metrics)]
    assert steps == list(range(1, len(steps) + 1))
    assert not old.exists()
    assert not process.is_alive(worker)
    assert requests.pending(moved) == ()
    shutil.rmtree(moved.path)
