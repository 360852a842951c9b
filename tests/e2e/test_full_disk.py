"""A run on a disk of a few MiB that is full at times: it pauses before it writes, says so, and goes on. A real disk."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.engine.worker import Worker
from core.jobs import requests
from core.jobs.files import DiskFull
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.paths import SAMPLE_DATA
from core.runs.preflight import preflight, stops
from tests.e2e.test_resume import logged, run_to_end
from tests.kit.training_runs import events, lines, make_run, recipe
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

_SIZE = 8 << 20
_ROOM = 1_300_000
"""Bytes: a checkpoint of this run would just fit, without the margin that is left for everybody else."""
_RUN = {
    "training__max_steps": 8,
    "training__save_every": 4.0,
    "training__eval_every": 0.0,
    "evaluation__after_training": False,
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here: that takes root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, name: str, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    file = disk / name
    with file.open("wb") as out:
        left = os.statvfs(disk)
        room = left.f_bavail * left.f_frsize - leave
        out.write(bytes(max(0, room)))
    return file


def test_a_checkpoint_waits_for_room_before_it_is_begun_and_nothing_is_lost(
    warm: WarmPython, tmp_path: Path, disk: Path
) -> None:
    plain = run_to_end(make_run(tmp_path / "plain", **_RUN))
    folder = make_run(disk / "runs", **_RUN)
    first = fill(disk, "first", _ROOM)
    launch(folder, [worker_command("core.training", folder)])
    until(lambda: standing(folder).state == "paused" or standing(folder).over, "it pauses before the checkpoint", 60)
    assert standing(folder).state == "paused"
    assert "The disk is full: checkpoint-4 could not be written." in folder.read_status().message
    assert "The run waits until" in folder.read_status().message
    assert not list(folder.checkpoints.glob("*")), "nothing was begun"
    second = fill(disk, "second", 0)
    assert [run.state for run in list_runs(disk)] == ["paused"]
    second.unlink()
    requests.ask(folder, requests.RESUME)
    until(lambda: events(folder, "request"), "it is answered")
    assert "resumes by itself" in events(folder, "request")[-1]["message"]
    first.unlink()
    until(lambda: standing(folder).over, "it goes on and ends", 60)
    assert standing(folder).state == "finished"
    assert logged(folder) == logged(plain)
    assert [event["step"] for event in events(folder, "checkpoint")] == [4, 8]
    assert [event["message"].partition(":")[0] for event in events(folder, "alert")] == [
        "The disk is full",
        "The problem is gone",
    ]


@pytest.mark.parametrize(
    "name", ["", requests.STOP, pytest.param(requests.STOP_NOW, marks=pytest.mark.slow)], ids=["room", "stop", "now"]
)
def test_a_disk_without_a_byte_left_is_reported_and_waited_for(
    warm: WarmPython, tmp_path: Path, disk: Path, name: str
) -> None:
    folder: JobFolder = make_run(disk / "runs", **_RUN)
    launch(
        folder,
        [worker_command("tests.kit.disturbed_training", folder)],
        env={"DISTURB_AT": "4", "DISTURB_GATE": "saving"},
    )
    until((folder.path / "reached").exists, "it is about to save", 60)
    keeper = folder.read_job()["keeper"]
    filler = fill(disk, "filler", 0)
    (folder.path / "open").touch()
    until(lambda: standing(folder).state == "paused" or standing(folder).over, "it pauses", 60)
    assert "The disk is full" in folder.read_status().message
    if name:  # nobody can write a request, and it is heard all the same
        requests.ask(folder, name)
        until(lambda: standing(folder).over, "it ends on the full disk", 60)
        assert standing(folder).state == "stopped"
        return
    filler.unlink()
    until(lambda: standing(folder).over, "it goes on and ends", 60)
    assert standing(folder).state == "finished"
    assert folder.read_job()["keeper"] == keeper, "the keeper has lived through it"
    assert [line["step"] for line in lines(folder.metrics) if "loss" in line] == list(range(1, 9))
    for file in (folder.events, folder.gpu):
        for line in file.read_bytes().splitlines():
            json.loads(line)


def test_a_disk_without_inodes_is_named_stops_a_start_and_takes_the_last_word(tmp_path: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,nr_inodes=64", str(disk)], check=True)
    folder = make_run(disk / "runs")
    worker = Worker(folder)
    with suppress(OSError):
        for number in range(64):
            (folder.path / str(number)).touch()
    with pytest.raises(DiskFull, match="out of inodes"):
        folder.write_status(step=1)
    checks = stops(preflight(recipe(data__train=(str(SAMPLE_DATA / "support_train.jsonl"),)), disk))
    assert [check.name for check in checks] == ["disk"]
    assert "inodes" in checks[0].sentence
    worker.end("failed", "No room for the model.")
    assert folder.read_status().message == "No room for the model."


def test_a_workspace_on_a_read_only_disk_stops_a_start(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    checks = stops(preflight(recipe(data__train=(str(SAMPLE_DATA / "support_train.jsonl"),)), disk / "new"))
    (check,) = checks
    assert "not writable" in check.sentence
    assert str(disk) in check.sentence
