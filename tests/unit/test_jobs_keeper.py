"""A job goes on without whoever started it, and somebody always knows how it ended. Real keepers, real workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, JobFailed
from core.gpu.host import tree
from core.jobs import code, process, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, enqueue, launch, worker_command
from core.jobs.process import Identity
from core.jobs.state import Standing, standing
from core.paths import ROOT
from tests.killing import kill
from tests.unit.jobs_worker import command
from tests.waiting import until

LAUNCHER = """
import json, signal, sys
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
launch(JobFolder(sys.argv[1]), json.loads(sys.argv[2]))
print("launched", flush=True)
signal.pause()
"""

COUNTED = """
import sys
from functools import partial
from core.jobs import ending, keeper
ending.oom_kills = partial(ending.oom_kills, sys.argv[2])
sys.exit(keeper.main([sys.argv[1], "--foreground"]))
"""
"""A keeper whose kernel is a folder."""


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


def ended(folder: JobFolder) -> Standing:
    return until(lambda: (now := standing(folder)).over and now, "the job has ended") or standing(folder)


def running(folder: JobFolder) -> Identity:
    """Waits until the worker counts steps."""
    until(lambda: (folder.read_status().step or 0) > 2, "the worker counts steps")
    worker = folder.read_status().worker
    assert worker is not None
    return worker


def events(folder: JobFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.events.read_bytes().splitlines()]


def answers(folder: JobFolder, name: str) -> list[str]:
    return [event["answer"] for event in events(folder) if event.get("request") == name and "answer" in event]


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
    assert "training worker cannot be started: /no/such/python" in now.detail


def test_keeper_that_cannot_start_is_told_at_once(folder: JobFolder) -> None:
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
    with pytest.raises(BadInput, match="runs already"):
        launch(folder, [command("steps", folder)])
    second = subprocess.run(
        [sys.executable, "-m", "core.jobs.keeper", folder.path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr) == (1, "Another keeper runs this job already.\n")
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
    until(lambda: (folder.read_status().step or 0) > before + 3, "the worker goes on")
    assert standing(folder).state == "running"
    (folder.path / "enough").touch()
    assert ended(folder).state == "finished"


def test_hang_up_of_keeper_and_worker_changes_nothing(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    worker = running(folder)
    process.send(keeper, signal.SIGHUP)
    process.send(worker, signal.SIGHUP)
    before = folder.read_status().step or 0
    until(lambda: (folder.read_status().step or 0) > before + 3, "the worker goes on")
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
    assert "both were killed" in now.detail
    with pytest.raises(BadInput, match="already ended"):
        requests.ask(folder, "stop")


def test_stop_now_of_a_worker_without_keeper_ends_it(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    until(lambda: folder.read_status().state == "running", "the worker runs")
    process.send(keeper, signal.SIGKILL)
    until(lambda: not process.is_alive(keeper), "the keeper is gone")
    os.kill(int((folder.path / "child.pid").read_text()), signal.SIGKILL)
    requests.ask(folder, "stop-now")
    until(lambda: not process.is_alive(folder.read_status().worker), "the worker is gone")
    assert standing(folder).state == "stopped"


def test_folder_deleted_under_a_live_run_ends_worker_and_keeper(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    worker = running(folder)
    elsewhere = folder.path.with_name("moved")
    folder.path.rename(elsewhere)
    until(lambda: not process.is_alive(worker), "the worker ends")
    until(lambda: not process.is_alive(keeper), "the keeper ends")
    assert "folder was deleted or moved" in (elsewhere / "output.log").read_text()
    assert not folder.path.exists(), "nobody makes a half folder"
    assert "gone" in standing(folder).detail
    shutil.rmtree(elsewhere)


def test_stop_is_answered_and_no_later_stage_begins(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder), command("ends", folder)])
    running(folder)
    requests.ask(folder, "stop")
    assert standing(folder).state in ("stopping", "stopped")
    now = ended(folder)
    assert now.state == "stopped"
    assert now.detail.startswith("Saved at step ")
    assert answers(folder, "stop") == ["received", "done"]
    assert "trained" not in folder.log.read_text()
    assert folder.requested() == ()


def test_save_is_answered_and_the_run_goes_on(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder)])
    running(folder)
    requests.ask(folder, "save")
    until(lambda: answers(folder, "save") == ["received", "done"], "the worker has answered")
    assert standing(folder).state == "running"
    (folder.path / "enough").touch()
    ended(folder)


def test_stop_now_ends_a_deaf_worker_and_all_its_children(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    until(lambda: folder.read_status().state == "running", "the worker runs")
    child = process.identify(int((folder.path / "child.pid").read_text()))
    worker = folder.read_status().worker
    assert process.is_alive(child)
    requests.ask(folder, "save")
    requests.ask(folder, "stop-now")
    now = ended(folder)
    assert (now.state, now.status.signal) == ("stopped", 9)
    assert not process.is_alive(worker)
    assert not process.is_alive(child), "a rank in a session of its own was left behind"
    assert answers(folder, "stop-now") == ["received", "done"]
    assert answers(folder, "save") == ["refused"], "what nobody did is not left unanswered"
    assert folder.requested() == ()
    until(lambda: not process.is_alive(keeper), "the keeper ends")


def test_child_that_a_failed_worker_leaves_behind_is_ended(folder: JobFolder) -> None:
    launch(folder, [command("leaves_child", folder)])
    assert ended(folder).state == "failed"
    pid = int((folder.path / "child.pid").read_text())
    assert process.identify(pid) is None
    assert any(event["kind"] == "alert" and event["pids"] == [pid] for event in events(folder))


@pytest.mark.parametrize(("later", "words"), [(5, "killed from outside"), (6, "ran out of memory (RAM")])
def test_only_what_the_kernel_killed_while_the_worker_ran_is_the_reason(
    folder: JobFolder, tmp_path: Path, later: int, words: str
) -> None:
    counters = tmp_path / "proc" / "vmstat"
    counters.parent.mkdir()
    counters.write_text("oom_kill 5\n")
    enqueue(folder, [command("steps", folder)])
    argv = [sys.executable, "-c", COUNTED, os.fspath(folder.path), f"{tmp_path}/"]
    with subprocess.Popen(argv, env=clean_environment()):
        worker = running(folder)
        counters.write_text(f"oom_kill {later}\n")
        process.send(worker, signal.SIGKILL)
        now = ended(folder)
    assert now.state == "failed"
    assert words in now.detail


def test_termination_of_the_keeper_is_stop_and_save(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    running(folder)
    process.send(keeper, signal.SIGTERM)
    now = ended(folder)
    assert now.state == "stopped"
    assert now.detail.startswith("Saved at step ")


def test_second_termination_of_the_keeper_is_now(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    until(lambda: folder.read_status().state == "running", "the worker runs")
    process.send(keeper, signal.SIGTERM)
    until(lambda: "stop" in folder.requested(), "the first is passed on as a request")
    process.send(keeper, signal.SIGTERM)
    assert ended(folder).state == "stopped"


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
    assert found["gpus"] or "GPU" in found["problem"]
    (folder.path / "enough").touch()
    ended(folder)


@pytest.mark.parametrize("where", ["working directory", "relative entry", "absolute entry"])
def test_core_folder_of_the_user_is_never_imported(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "core" / "jobs").mkdir(parents=True)
    for name in ("core/__init__.py", "core/jobs/__init__.py", "core/jobs/keeper.py", "json.py", "core/jobs/folder.py"):
        (theirs / name).write_text("raise SystemExit('the wrong core')\n")
    entries = {"working directory": "", "relative entry": ".", "absolute entry": str(theirs)}
    if where == "absolute entry":
        (theirs / "json.py").unlink()  # an absolute entry may well hold what the user wants seen
    monkeypatch.chdir(theirs)
    monkeypatch.setenv("PYTHONPATH", f"{entries[where]}{os.pathsep}")
    launch(folder, [command("tells_where_core_is", folder)])
    now = ended(folder)
    assert (now.state, now.detail) == ("finished", "")
    ours = str(ROOT / "core" / "__init__.py")
    assert folder.log.read_text().split() == [ours, ours], "the worker, or a process that it started"


def test_worker_runs_in_the_interpreter_that_the_user_chose(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", "/opt/torch/bin/python")
    assert worker_command("core.training", folder) == ["/opt/torch/bin/python", "-m", "core.training", str(folder.path)]
    monkeypatch.delenv("TUNEDECK_PYTHON")
    assert worker_command("core.training", folder)[0] == sys.executable


def test_installed_core_is_copied_once_a_version_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    (installed / "core" / "jobs").mkdir(parents=True)
    (installed / "core" / "jobs" / "keeper.py").write_text("version = 1\n")
    (installed / "torch.py").write_text("the viewer's own torch\n")
    monkeypatch.setattr(code, "ROOT", installed)
    first = code.code_root()
    assert first != installed
    assert os.listdir(first) == ["core"]
    assert clean_environment()["PYTHONPATH"].split(os.pathsep)[0] == str(first)
    assert code.code_root() == first
    (installed / "core" / "jobs" / "keeper.py").write_text("version = 22\n")
    second = code.code_root()
    assert (first / "core/jobs/keeper.py").read_text() == "version = 1\n", "a live run keeps its code"
    assert (second / "core/jobs/keeper.py").read_text() == "version = 22\n"
    assert sorted(os.listdir(first.parent)) == sorted([first.name, second.name])


def test_keeper_imports_next_to_nothing() -> None:
    script = "import sys; before = set(sys.modules); import core.jobs.keeper; print(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    heavy = {
        "asyncio",
        "subprocess",
        "socket",
        "pynvml",
        "numpy",
        "orjson",
        "yaml",
        "textual",
        "rich",
        "torch",
        "typing_extensions",
    }
    assert not loaded & heavy
    assert "core.jobs.keeper" in loaded


def test_variables_of_another_launcher_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was started under torchrun would take itself for one of its ranks, and wait for the others."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "ACCELERATE_USE_FSDP"):
        monkeypatch.setenv(name, "2")
    assert not {"WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "ACCELERATE_USE_FSDP"} & set(clean_environment())
