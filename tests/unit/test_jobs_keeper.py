"""A job goes on without whoever started it, and somebody always knows how it ended. Real keepers, real workers."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, JobFailed
from core.jobs import process, requests
from core.jobs.children import STAGES, write_stages
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, enqueue, launch
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.paths import ROOT
from tests.kit.jobs_worker import command
from tests.kit.out_of_reach import take_away
from tests.kit.real_jobs import ended, events, folder, running
from tests.kit.waiting import until

__all__ = ["folder"]

LAUNCHER = """
import json, signal, sys
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
launch(JobFolder(sys.argv[1]), json.loads(sys.argv[2]))
print("launched", flush=True)
signal.pause()
"""

HASTY = """
import os, sys
from core.jobs import folder, keeper, upkeep
folder.GONE_AFTER, upkeep.RESTORE_AFTER = float(os.environ["TEST_GONE_AFTER"]), 0.2
sys.exit(keeper.main([sys.argv[1], "--foreground"]))
"""
"""A keeper that waits less long."""

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2

COUNTED = """
import sys
from functools import partial
from core.jobs import ending, keeper
ending.oom_kills = partial(ending.oom_kills, sys.argv[2])
sys.exit(keeper.main([sys.argv[1], "--foreground"]))
"""
"""A keeper whose kernel is a folder."""


def test_job_runs_its_stages_in_turn_and_says_how_it_ended(folder: JobFolder) -> None:
    keeper = launch(folder, [command("ends", folder), command("ends", folder)])
    now = ended(folder)
    assert (now.state, now.detail) == ("finished", "")
    assert (now.status.exit_code, now.status.stage, now.status.stages) == (0, 1, 2)
    assert now.status.ended is not None
    assert folder.log.read_text() == "trained\ntrained\n"
    assert events(folder)[-1]["kind"] == "ended"
    until(lambda: not process.is_alive(keeper), "the keeper ends with its job")
    assert folder.keeper_log.read_text() == ""


def test_job_json_says_what_runs_and_from_where(folder: JobFolder) -> None:
    launch(folder, [command("ends", folder)], env={"TUNEDECK_TEST": "1"})
    job = folder.read_job()
    assert job["stages"] == [command("ends", folder)]
    assert (job["host"], job["cwd"], job["env"]) == (os.uname().nodename, os.getcwd(), {"TUNEDECK_TEST": "1"})
    assert job["core_path"] == str(ROOT / "core")
    assert job["versions"]["python"].startswith("3.")
    ended(folder)


def test_failed_stage_ends_the_job(folder: JobFolder) -> None:
    launch(folder, [command("says_why", folder), command("ends", folder)])
    now = ended(folder)
    assert (now.state, now.detail) == ("failed", "The data has no row to train on.")
    assert (now.status.exit_code, now.status.stage) == (1, 0)
    assert "trained" not in folder.log.read_text()


def test_exception_that_nobody_caught_is_the_reason(folder: JobFolder) -> None:
    launch(folder, [command("raises", folder)])
    now = ended(folder)
    assert now.state == "failed"
    assert "ValueError: no such layer: q_prog" in now.detail
    assert "output.log" in now.detail


def test_program_that_does_not_exist_is_a_sentence(folder: JobFolder) -> None:
    launch(folder, [["/no/such/python", "-m", "core.training", str(folder.path)]])
    now = ended(folder)
    assert now.state == "failed"
    assert "could not be started: /no/such/python" in now.detail


def test_keeper_that_cannot_start_is_reported_at_once(folder: JobFolder) -> None:
    with pytest.raises(JobFailed, match="No such file"):
        launch(folder, [command("ends", folder)], python="/no/such/python")
    assert standing(folder).state == "failed"
    (folder.path / ".keeper.lock").mkdir()
    with pytest.raises(JobFailed, match="Is a directory"):
        launch(folder, [command("ends", folder)])
    (folder.path / ".keeper.lock").rmdir()
    shim = folder.path / "python"
    shim.write_text("#!/bin/sh\necho 'libpython3.11.so: cannot open' >&2\nexit 127\n")
    shim.chmod(0o755)
    with pytest.raises(JobFailed, match=r"libpython3\.11\.so: cannot open"):
        launch(folder, [command("ends", folder)], python=str(shim))


def test_job_cannot_be_started_twice(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder)])
    running(folder)
    with pytest.raises(BadInput, match="Already running"):
        launch(folder, [command("steps", folder)])
    second = subprocess.run(
        [sys.executable, "-m", "core.jobs.keeper", folder.path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr) == (1, "This job already has a keeper.\n")
    (folder.path / "enough").touch()
    assert ended(folder).state == "finished"


def test_job_that_is_over_can_be_started_again(folder: JobFolder) -> None:
    launch(folder, [command("says_why", folder)])
    ended(folder)
    first = folder.read_job()["keeper"]
    until(lambda: not process.is_alive(process.from_json(first)), "the first keeper is gone")
    launch(folder, [command("ends", folder)])
    assert folder.read_job()["keeper"] != first
    assert ended(folder).state == "finished"
    assert ended(folder).status.message == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_job_outlives_its_launcher(folder: JobFolder, number: signal.Signals) -> None:
    argv = [sys.executable, "-c", LAUNCHER, str(folder.path), json.dumps([command("steps", folder)])]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"launched\n"
        os.killpg(launcher.pid, number)
    before = folder.read_status().step or 0
    until(lambda: (folder.read_status().step or 0) > before + 3, "the worker is running")
    assert standing(folder).state == "running"
    (folder.path / "enough").touch()
    assert ended(folder).state == "finished"


def test_hang_up_of_keeper_and_worker_changes_nothing(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    worker = running(folder)
    process.send(keeper, signal.SIGHUP)
    process.send(worker, signal.SIGHUP)
    before = folder.read_status().step or 0
    until(lambda: (folder.read_status().step or 0) > before + 3, "the worker is running")
    assert process.is_alive(keeper)
    (folder.path / "enough").touch()
    assert ended(folder).state == "finished"


def test_worker_killed_by_signal_9_is_seen_and_explained(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder), command("ends", folder)])
    os.kill(running(folder).pid, signal.SIGKILL)
    now = ended(folder)
    assert (now.state, now.status.signal, now.status.exit_code) == ("failed", 9, None)
    assert "killed from outside (signal 9)" in now.detail
    assert "checkpoint" in now.detail


def test_worker_outlives_its_keeper_and_its_finish_is_known(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    worker = running(folder)
    process.send(keeper, signal.SIGKILL)
    until(lambda: not process.is_alive(keeper), "the keeper is gone")
    now = standing(folder)
    assert (now.state, now.kept, now.over) == ("running", False, False)
    assert "keeper" in now.detail
    (folder.path / "enough").touch()
    until(lambda: not process.is_alive(worker), "the worker comes to its end")
    assert standing(folder).state == "finished"


def test_job_whose_keeper_and_worker_are_gone_is_lost(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    worker = running(folder)
    process.send(keeper, signal.SIGKILL)
    process.send(worker, signal.SIGKILL)
    now = until(lambda: (now := standing(folder)).over and now, "the job counts as over")
    assert now
    assert now.state == "lost"
    assert "killed" in now.detail
    with pytest.raises(BadInput, match="already ended"):
        requests.ask(folder, "stop")


@contextmanager
def hasty_keeper(folder: JobFolder, how: str) -> Iterator[subprocess.Popen[bytes]]:
    """A keeper in the foreground that waits less long, with a worker; permissions hold for both, root or not."""
    stages = [command(how, folder)]
    enqueue(folder, stages)
    waits = {"TEST_GONE_AFTER": "0" if how == "steps" else "3600"}
    environment = clean_environment({**waits, STAGES: write_stages(stages)})
    argv = [sys.executable, "-c", HASTY, os.fspath(folder.path)]
    with subprocess.Popen(argv, env=environment, cwd=folder.path.parents[1], preexec_fn=obey_permissions) as keeper:
        yield keeper


def obey_permissions() -> None:
    """Takes from root, for all that is run from here on, the right to go where permissions keep others out."""
    if os.getuid() == 0:
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0


def test_folder_deleted_under_a_live_run_ends_worker_and_keeper(folder: JobFolder) -> None:
    with hasty_keeper(folder, "steps") as keeper:
        worker = running(folder)
        take_away(folder.path)
        until(lambda: not process.is_alive(worker), "the worker ends")
        until(lambda: keeper.poll() is not None, "the keeper ends")
    elsewhere = folder.path.with_name("aside")
    assert "folder was deleted" in (elsewhere / "output.log").read_text()
    assert not folder.path.exists(), "nobody makes a half folder"
    assert "gone" in standing(JobFolder(folder.path)).detail
    shutil.rmtree(elsewhere)


def switches(pid: int) -> int:
    """How often a process has gone to sleep: a worker's clock that does not need its folder."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def goes_on_meanwhile(folder: JobFolder, worker: process.Identity, back: Callable[[], object]) -> None:
    """The worker works while its folder is away; once it is back, all it had to say is there, and it ends well."""
    before = switches(worker.pid)
    until(lambda: switches(worker.pid) > before + 150, "the worker works while its folder is away")
    back()
    seen = len(lines(folder.metrics))
    until(lambda: len(lines(folder.metrics)) > seen + 5, "its lines are written again")
    assert standing(folder).state == "running"
    requests.ask(folder, requests.STOP)
    now = ended(folder)
    steps = [line["step"] for line in lines(folder.metrics)]
    assert steps == list(range(1, len(steps) + 1)), "no line was lost, and none is there twice"
    assert (now.state, now.detail) == ("stopped", f"Stopped at step {steps[-1]}.")
    moments = [line["t"] for line in lines(folder.gpu)]
    assert moments == sorted(set(moments))
    reported = [json.dumps(event) for event in events(folder)]
    assert len(reported) == len(set(reported))
    assert [event["answer"] for event in events(folder) if event["kind"] == "request"] == ["received", "done"]
    assert [event["kind"] for event in events(folder)][-1] == "ended"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize("what", ["run", "workspace"])
def test_a_folder_that_is_moved_away_and_back_ends_nothing(folder: JobFolder, what: str) -> None:
    with hasty_keeper(folder, "works"):
        worker = running(folder)
        place = folder.path if what == "run" else folder.path.parents[1]
        aside = place.with_name("aside")
        place.rename(aside)
        goes_on_meanwhile(folder, worker, lambda: aside.rename(place))


@pytest.mark.parametrize("what", ["run", "runs"])
def test_a_folder_without_permissions_for_a_while_ends_nothing(folder: JobFolder, what: str) -> None:
    """As `chmod 000 runs` does."""
    place = folder.path if what == "run" else folder.path.parent
    with hasty_keeper(folder, "works"):
        worker = running(folder)
        place.chmod(0)
        try:
            goes_on_meanwhile(folder, worker, lambda: place.chmod(0o755))
        finally:
            place.chmod(0o755)


def test_job_file_alone_that_is_deleted_ends_nothing_and_is_written_again(folder: JobFolder) -> None:
    with hasty_keeper(folder, "works"):
        running(folder)
        job = folder.read_job()
        folder.job.unlink()
        assert [run.state for run in list_runs(folder.path.parents[1])] == ["running"], "it stays in the list"
        until(folder.job.exists, "the keeper writes it again")
        assert folder.read_job() == job
        seen = folder.read_status().step or 0
        until(lambda: (folder.read_status().step or 0) > seen, "the worker is running")
        assert [event for event in events(folder) if event["message"].startswith("job.json disappeared")]
        requests.ask(folder, requests.STOP)
        assert ended(folder).state == "stopped"
    steps = [line["step"] for line in lines(folder.metrics)]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.parametrize(("later", "words"), [(5, "killed from outside"), (6, "ran out of memory (RAM")])
def test_only_what_the_kernel_killed_while_the_worker_ran_is_the_reason(
    folder: JobFolder, tmp_path: Path, later: int, words: str
) -> None:
    counters = tmp_path / "proc" / "vmstat"
    counters.parent.mkdir()
    counters.write_text("oom_kill 5\n")
    enqueue(folder, [command("steps", folder)])
    argv = [sys.executable, "-c", COUNTED, os.fspath(folder.path), f"{tmp_path}/"]
    stages = write_stages([command("steps", folder)])
    with subprocess.Popen(argv, env=clean_environment({STAGES: stages})):
        worker = running(folder)
        counters.write_text(f"oom_kill {later}\n")
        process.send(worker, signal.SIGKILL)
        now = ended(folder)
    assert now.state == "failed"
    assert words in now.detail


def test_gpu_file_has_the_worker_even_without_a_gpu(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder)])
    worker = running(folder)

    def sample() -> dict[str, Any] | None:
        lines = folder.gpu.read_bytes().splitlines() if folder.gpu.exists() else []
        records = [json.loads(line) for line in lines]
        return next((record for record in records if record["worker"] and record["worker"]["cpu"] is not None), None)

    found = until(sample, "a second sample")
    assert found is not None
    assert worker.pid in found["worker"]["pids"]
    assert found["worker"]["rss"] > 1_000_000
    assert found["ram"]["total"] > found["worker"]["rss"]
    assert found["gpus"] or "NVIDIA" in found["problem"]
    (folder.path / "enough").touch()
    ended(folder)
