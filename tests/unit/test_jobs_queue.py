"""The queue with real runners, keepers and workers: order, failures, two viewers at once, a reboot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput
from core.gpu.host import tree
from core.jobs import files, process, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.queue import Queue
from core.jobs.queue_runner import update_waiting_runs
from core.jobs.state import standing
from core.paths import ROOT
from core.runs.queueing import ensure_runner, pick_up
from tests.kit import nvml
from tests.kit.jobs_worker import command
from tests.kit.killing import kill
from tests.kit.queued_runs import use_stand_ins, wait_in
from tests.kit.waiting import PATIENCE, until

GIB = 2**30
PICK_UP = """
import sys
from pathlib import Path
from core.runs.queueing import ensure_runner
print(ensure_runner(Path(sys.argv[1])))
"""
LAUNCH = """
import json, sys
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.runs.commands import commands_of
folder = JobFolder(sys.argv[1])
sys.stdin.readline()
launch(folder, commands_of(folder)[0], waits=True)
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    use_stand_ins(tmp_path, monkeypatch)
    found = Queue(tmp_path)
    yield found
    runner = found.read().runner
    if runner is not None:
        process.send(runner, signal.SIGKILL)
    for path in (tmp_path / "runs").iterdir():
        end(JobFolder(path))


def end(folder: JobFolder) -> None:
    """Ends keeper and worker by signal 9, and waits until they are gone."""
    keeper, worker = process.from_json(folder.read_job().get("keeper")), folder.read_status().worker
    if keeper is not None and process.is_alive(keeper):
        kill(*tree(keeper.pid))
    until(lambda: not process.is_alive(keeper) and not process.is_alive(worker), "keeper and worker are gone")


def state(folder: JobFolder) -> str:
    return standing(folder).state


def test_a_failed_run_of_a_pipeline_holds_the_rest_until_it_is_resumed_released_or_removed(queue: Queue) -> None:
    bad = wait_in(queue, "says_why", name="bad")
    second = wait_in(queue, "ends", name="second", after=bad)
    third = wait_in(queue, "ends", name="third", after=second)
    other = wait_in(queue, "ends", name="other")
    ensure_runner(queue.workspace)
    until(lambda: state(other) == "finished" and "held" in second.read_status().message, "the rest is held")
    assert bad.id in second.read_status().message
    assert second.id in third.read_status().message
    queue.release(second.id)
    until(lambda: state(third) == "finished", "the rest has run")
    with pytest.raises(BadInput, match="not queued"):
        queue.release(second.id)


def test_removing_a_run_of_a_pipeline_removes_those_after_it(queue: Queue) -> None:
    first, alone = wait_in(queue, "ends", name="first"), wait_in(queue, "ends", name="alone")
    last = wait_in(queue, "ends", name="last")
    second = wait_in(queue, "ends", name="second", after=first)
    with queue.locked() as now:  # whatever order the user has given them
        entries = [replace(entry, after=second.id) if entry.id == last.id else entry for entry in now.entries]
        queue.write(replace(now, entries=tuple(entries)))
    assert queue.remove(first.id) == [first.id, second.id, last.id]
    assert [entry.id for entry in queue.read().entries] == [alone.id]
    assert [state(each) for each in (first, second, last)] == ["stopped"] * 3
    assert first.id in second.read_status().message


def test_runs_start_in_order_one_at_a_time_and_a_failure_holds_nobody_up(queue: Queue) -> None:
    first, bad, last = (wait_in(queue, how) for how in ("steps", "says_why", "ends"))
    other = wait_in(queue, "ends", name="other", devices="3")
    assert ensure_runner(queue.workspace)
    until(lambda: state(first) == "running", "the first runs")
    until(lambda: state(other) == "finished", "another device set is not held up")
    until(lambda: "Number 2" in last.read_status().message, "the last knows its place")
    assert [state(bad), state(last)] == ["queued", "queued"]
    assert f"the CPU (in use by {first.id})" in bad.read_status().message
    runner = queue.read().runner
    (first.path / "enough").touch()
    until(lambda: state(last) == "finished", "the last has had its turn")
    assert [state(first), state(bad)] == ["finished", "failed"]
    assert bad.read_status().started < last.read_status().started  # type: ignore[operator]
    until(lambda: not process.is_alive(runner), "the runner ends when nothing waits")
    assert queue.read().runner is None
    assert queue.log.read_text() == ""


def test_the_order_can_be_changed_and_a_run_taken_out(queue: Queue) -> None:
    a, b, c = (wait_in(queue, "ends", name=name) for name in "abc")
    queue.move(c.id, 1)
    requests.ask(b, requests.STOP)
    update_waiting_runs(queue.workspace)
    assert [entry.id for entry in queue.waiting(queue.read())] == [c.id, a.id]
    assert state(b) == "stopped"
    assert "Number 2" in a.read_status().message
    for wrong in (lambda: queue.remove(b.id), lambda: queue.move(a.id, 0), lambda: requests.ask(a, "pause")):
        with pytest.raises(BadInput):
            wrong()
    with pytest.raises(BadInput, match="queued"):
        launch(a, [command("ends", a)])


def test_a_run_starts_when_its_time_comes_and_not_before(queue: Queue) -> None:
    at = time.time() + 2
    folder = wait_in(queue, "ends", at=at)
    assert ensure_runner(queue.workspace)
    # A machine that is busy may start the runner only when the time has come.
    until(lambda: "waiting until" in folder.read_status().message or state(folder) == "finished", "it knows its time")
    until(lambda: state(folder) == "finished", "its time has come")
    started = folder.read_status().started
    assert started is not None
    assert at <= started


def test_a_run_starts_once_the_gpu_has_the_memory_that_it_waits_for(
    queue: Queue, nvml_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = queue.workspace / "readings.txt"
    for name, value in nvml.environment(nvml_library, readings).items():
        monkeypatch.setenv(name, value)

    def used(size: int) -> None:
        text = f"driver gpus 1\n0 uuid GPU-0\n0 name A100\n0 memory {80 * GIB} {size * GIB}\n"
        readings.with_suffix(".new").write_text(text)
        readings.with_suffix(".new").rename(readings)

    used(70)
    folder = wait_in(queue, "ends", devices="0", free_bytes=20 * GIB)
    assert ensure_runner(queue.workspace)
    until(lambda: "20.0 GiB of free memory on GPU 0 (10.0 GiB free" in folder.read_status().message, "it says")
    used(55)
    until(lambda: state(folder) == "finished", "it has had its turn")


def test_a_paused_queue_has_no_runner_and_goes_on_when_it_is_told_to(queue: Queue) -> None:
    folder = wait_in(queue, "ends")
    queue.pause(True)
    assert not ensure_runner(queue.workspace)
    assert "the queue is paused" in folder.read_status().message
    queue.pause(False)
    assert ensure_runner(queue.workspace)
    until(lambda: state(folder) == "finished", "it has had its turn")


def test_two_viewers_at_once_start_one_runner_and_each_run_once(queue: Queue) -> None:
    folder = wait_in(queue, "steps")
    viewers = [
        subprocess.Popen([sys.executable, "-c", PICK_UP, str(queue.workspace)], stdout=subprocess.PIPE) for _ in "ab"
    ]
    assert [viewer.communicate(timeout=PATIENCE)[0] for viewer in viewers] == [b"True\n", b"True\n"]
    until(lambda: state(folder) == "running", "it runs")
    (folder.path / "enough").touch()
    until(lambda: state(folder) == "finished", "it ends")
    assert folder.events.read_text().count('"stage":0') == 1


def test_two_processes_that_start_the_same_queued_run_at_once_start_it_once(queue: Queue) -> None:
    folder = wait_in(queue, "ends")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(folder.path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in "ab"
    ]
    words = [process.communicate(b"\n", timeout=PATIENCE)[1].decode() for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert "BadInput" in "".join(words)
    until(lambda: state(folder) == "finished", "it ends")
    assert folder.events.read_text().count('"stage":0') == 1


def test_after_a_reboot_the_queue_goes_on_with_the_run_that_was_cut_off(queue: Queue) -> None:
    cut, waiting = wait_in(queue, "steps", name="cut"), wait_in(queue, "ends", name="waiting")
    ensure_runner(queue.workspace)
    until(lambda: state(cut) == "running", "it runs")
    runner = queue.read().runner
    assert runner is not None
    process.send(runner, signal.SIGKILL)
    end(cut)
    until(lambda: not process.is_alive(runner), "the runner is gone")
    this_boot = runner.boot_id
    for file in (queue.workspace / ".tunedeck" / "queue.json", cut.job, cut.status):
        file.write_text(file.read_text().replace(this_boot, "an-earlier-boot"))
    (cut.path / "enough").touch()
    (said,) = pick_up(queue.workspace)
    assert said.startswith(f"{cut.id}: The machine was restarted")
    assert "from the beginning" in said
    until(lambda: state(waiting) == "finished", "the rest of the queue has had its turn")
    assert state(cut) == "finished"
    assert [json.loads(line)["kind"] for line in cut.events.read_text().splitlines()].count("ended") == 1


def test_a_runner_that_was_killed_leaves_the_runs_alone_and_the_next_look_starts_another(queue: Queue) -> None:
    first, second = wait_in(queue, "steps"), wait_in(queue, "ends")
    ensure_runner(queue.workspace)
    until(lambda: state(first) == "running", "it runs")
    runner = queue.read().runner
    assert runner is not None
    process.send(runner, signal.SIGKILL)
    until(lambda: not process.is_alive(runner), "the runner is gone")
    assert state(first) == "running"
    assert pick_up(queue.workspace) == []
    (first.path / "enough").touch()
    until(lambda: state(second) == "finished", "the second has had its turn")
    until(lambda: not queue.read().alive, "nothing waits, and the runner is gone")
    assert pick_up(queue.workspace) == []
    assert queue.read().entries == ()  # the last run ended after its runner, and does not go on for ever


def test_a_workspace_that_is_deleted_ends_the_runner_and_does_not_come_back(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "workspace")
    queue.workspace.mkdir()
    wait_in(queue, "ends", at=time.time() + 3600)
    assert ensure_runner(queue.workspace)
    runner = queue.read().runner
    shutil.rmtree(queue.workspace)
    until(lambda: not process.is_alive(runner), "the runner is gone")
    assert not queue.workspace.exists()


def test_a_runner_that_is_about_to_end_hands_over(queue: Queue) -> None:
    folder = wait_in(queue, "ends")
    lock = files.open_lock(queue.runner_lock)  # as a runner that has said that it ends, and has yet to be gone
    assert files.try_lock(lock)

    def waits_for_it(pid: int) -> bool:
        with suppress(OSError):
            return any(os.readlink(fd) == str(queue.runner_lock) for fd in Path(f"/proc/{pid}/fd").iterdir())
        return False

    with ThreadPoolExecutor() as threads:
        started = threads.submit(ensure_runner, queue.workspace)
        until(lambda: any(waits_for_it(pid) for pid in tree(os.getpid())[1:]), "the next one waits for the lock")
        os.close(lock)
        assert started.result()
    until(lambda: state(folder) == "finished", "it has had its turn")
