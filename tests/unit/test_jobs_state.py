"""The state that readers show is what the folder says, checked against machine and processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.ending import Exit, judge, last_error, oom_kills
from core.jobs.folder import JobFolder
from core.jobs.state import LAUNCH_PATIENCE, standing
from core.jobs.status import Status

ME = process.identify(os.getpid())


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path, "a run", "training")


def change_job(folder: JobFolder, **fields: Any) -> None:
    folder.write_job({**folder.read_job(), **fields})


def test_job_of_another_machine_is_known_by_its_heartbeat_only(folder: JobFolder) -> None:
    assert ME is not None
    change_job(folder, host="gpu-7", keeper={**ME.to_json(), "pid": 1})
    folder.write_status(state="running", heartbeat=1_000.0)
    now = standing(folder, now=1_042.4)
    assert (now.state, now.local, now.heartbeat_age, now.over) == ("running", False, pytest.approx(42.4), False)
    assert "gpu-7" in now.detail
    assert "42 s" in now.detail
    folder.write_status(state="finished", ended=1_050.0)
    assert standing(folder).over


def test_restart_of_the_machine_is_told_from_a_kill(folder: JobFolder) -> None:
    assert ME is not None
    change_job(folder, keeper={**ME.to_json(), "boot_id": "before the restart"})
    folder.write_status(state="running", worker={**ME.to_json(), "boot_id": "before the restart"})
    now = standing(folder)
    assert (now.state, now.over) == ("lost", True)
    assert "machine was restarted" in now.detail


def test_job_that_nobody_started_is_starting_for_a_while_and_lost_then(folder: JobFolder) -> None:
    assert standing(folder).state == "starting"
    late = standing(folder, now=time.time() + LAUNCH_PATIENCE + 1)
    assert late.state == "lost"
    assert "never started" in late.detail
    assert standing(folder, now=time.time() - 3600).state == "lost"  # the clock was set back
    folder.write_status(state="queued")
    assert standing(folder, now=time.time() + 86_400).state == "queued"


def test_keeper_that_is_silent_is_reported(folder: JobFolder) -> None:
    assert ME is not None
    change_job(folder, keeper=ME.to_json())
    folder.write_status(state="running", heartbeat=1_000.0)
    now = standing(folder, now=1_100.0)
    assert (now.state, now.kept) == ("running", True)
    assert "100 s" in now.detail


def test_worker_that_says_failed_has_not_ended_before_its_keeper_says_so(folder: JobFolder) -> None:
    assert ME is not None
    change_job(folder, keeper=ME.to_json())
    folder.write_status(state="failed", message="No row.")
    assert (standing(folder).state, standing(folder).over) == ("stopping", False)
    change_job(folder, keeper={**ME.to_json(), "start_time": 1})
    now = standing(folder)
    assert (now.state, now.detail, now.over) == ("failed", "No row.", True)


def test_stop_that_is_asked_shows_at_once(folder: JobFolder) -> None:
    assert ME is not None
    change_job(folder, keeper=ME.to_json())
    folder.write_status(state="running", heartbeat=time.time())
    (folder.requests / "stop").touch()
    assert standing(folder).state == "stopping"


@pytest.mark.parametrize(
    ("end", "asked", "oom_kills", "state", "words"),
    [
        (Exit(0, None), False, 0, "finished", ""),
        (Exit(3, None), False, 0, "stopped", "Stopped on request"),
        (Exit(None, 9), True, 0, "stopped", "Stopped immediately"),
        (Exit(None, 9), False, 0, "failed", "killed from outside"),
        (Exit(None, 9), False, 1, "failed", "ran out of memory (RAM"),
        (Exit(None, 11), False, 0, "failed", "SIGSEGV"),
        (Exit(None, 15), False, 0, "failed", "SIGTERM"),
        (Exit(None, 200), False, 0, "failed", "signal 200"),
        (Exit(5, None), False, 0, "failed", "exit code 5"),
        (Exit(1, None), True, 0, "failed", "exit code 1"),
    ],
)
def test_every_end_of_a_worker_has_its_words(
    tmp_path: Path, end: Exit, asked: bool, oom_kills: int, state: str, words: str
) -> None:
    found, message = judge(
        end, stage="Training", status=Status(), log=str(tmp_path / "none"), asked=asked, oom_kills=oom_kills
    )
    assert found == state
    assert words in message


def test_a_comparison_that_is_stopped_leaves_the_adapter_and_says_so(tmp_path: Path) -> None:
    """Said was that what came after the last checkpoint is not saved, though training was done."""
    status, log = Status(stage=1, stages=2), str(tmp_path / "none")
    found, message = judge(Exit(None, 9), stage="evaluation", status=status, log=log, asked=True, oom_kills=0)
    assert found == "stopped"
    assert "adapter is saved" in message


@pytest.mark.parametrize(
    ("group", "counters", "expected"),
    [
        ("0::/job\n", {"proc/vmstat": "nr_free_pages 7\noom_kill 2\n"}, 2),
        ("0::/job\n", {"proc/vmstat": "oom_kill 2\n", "sys/fs/cgroup/job/memory.events": "oom 9\noom_kill 5\n"}, 5),
        ("4:cpu,memory:/old\n1:name=systemd:/x\n", {"sys/fs/cgroup/memory/old/memory.oom_control": "oom_kill 3\n"}, 3),
        ("0::/job\n", {"sys/fs/cgroup/job/memory.events": "oom_kill_disable 1\noom_kill many\n"}, 0),
        ("no colons\n", {"proc/vmstat": "oom_kill 1\n"}, 1),
        ("", {}, 0),
    ],
)
def test_the_kernels_counters_are_read_of_the_machine_and_of_the_control_group(
    tmp_path: Path, group: str, counters: dict[str, str], expected: int
) -> None:
    for name, text in {"proc/self/cgroup": group, **counters}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert oom_kills(f"{tmp_path}/") == expected


def test_reason_is_the_last_traceback_with_chains_and_several_lines(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text(
        "step 1\nTraceback (most recent call last):\n  File 'a', line 1\nKeyError: 'x'\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n  File 'b', line 2, in f\n    g()\n"
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\nsee the notes\n"
    )
    assert last_error(str(log)) == "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    log.write_text("error: but no traceback\n")
    assert last_error(str(log)) == ""
