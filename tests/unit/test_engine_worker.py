"""A worker's side of its folder: progress, requests, a full disk, a deleted folder, and how it ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.engine.process import memory_words
from core.engine.work import run
from core.engine.worker import Worker, WorkerStopped
from core.errors import BadInput
from core.jobs import folder as folders
from core.jobs import requests
from core.jobs.files import DiskFull, JobGone, Unreachable
from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, to_json
from core.runs.checkpoint import seal
from core.training.saving import drop_old, write_whole
from tests.kit.out_of_reach import take_away
from tests.kit.waiting import PATIENCE, until


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path, "test", "training", payload={"recipe": to_json(Recipe())})


def _events(folder: JobFolder) -> list[dict[str, object]]:
    return [json.loads(line) for line in folder.events.read_text().splitlines()]


def test_the_way_it_ends_is_an_exit_code_and_a_sentence(folder: JobFolder) -> None:
    def ends_by(error: Exception | None) -> int:
        def body(worker: Worker, recipe: Recipe) -> None:
            assert recipe == Recipe()
            if error is not None:
                raise error

        return run([str(folder.path)], body)

    assert ends_by(None) == 0
    assert ends_by(WorkerStopped("Stopped at step 3.")) == 3
    assert folder.read_status().message == "Stopped at step 3."
    assert ends_by(BadInput("no rows", where="x.jsonl")) == 2
    assert ends_by(ZeroDivisionError("by zero")) == 1
    status = folder.read_status()
    assert status.state == "failed"
    assert status.message == "ZeroDivisionError: by zero. The traceback is at the end of output.log."


def test_a_folder_without_a_recipe_is_bad_input(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "test", "training")
    assert run([str(folder.path)], lambda worker, recipe: None) == 2
    assert "no recipe" in folder.read_status().message


def test_first_termination_asks_to_stop_and_second_to_stop_now(folder: JobFolder) -> None:
    seen = []

    def body(worker: Worker, recipe: Recipe) -> None:
        seen.append(worker.asked())
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(worker.asked())
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(worker.asked())

    before = signal.getsignal(signal.SIGTERM)
    assert run([str(folder.path)], body) == 0
    assert seen == [(), ("stop",), ("stop-now", "stop")]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_that_saves_before_it_ends_is_stopping_to_the_end(folder: JobFolder) -> None:
    """Once the request was answered it counted as running, and could be asked to stop and to pause again."""
    worker = Worker(folder)
    worker.phase("training")
    requests.ask(folder, requests.STOP)
    assert worker.asked() == (requests.STOP,)
    worker.phase("saving")
    assert folder.read_status().state == "stopping"
    worker.done(requests.STOP)
    assert (folder.read_status().state, folder.read_status().phase) == ("stopping", "saving")


def test_progress_is_written_at_most_once_a_second(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    worker = Worker(folder)
    worker.progress(1, 100)
    written = folder.status.stat().st_mtime_ns
    for step in range(2, 50):
        now += 0.02
        worker.progress(step, 100)
    assert folder.status.stat().st_mtime_ns == written
    assert folder.read_status().step == 1
    now += 0.05
    worker.progress(50, 100)
    assert folder.read_status().step == 50


def test_lines_wait_for_a_full_disk_and_come_in_order(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    append, full = JobFolder.append_metric, True

    def maybe(self: JobFolder, values: dict[str, object]) -> None:
        if full:
            raise DiskFull("full")
        append(self, values)

    monkeypatch.setattr(JobFolder, "append_metric", maybe)
    worker = Worker(folder)
    worker.metric({"step": 1})
    worker.metric({"step": 2})
    full = False
    worker.metric({"step": 3})
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [1, 2, 3]


def test_the_last_step_is_in_the_status_at_the_end(folder: JobFolder) -> None:
    """It is written once a second, so a run that was stopped at step 8 ended as one of step 4."""

    def body(worker: Worker, recipe: Recipe) -> None:
        worker.phase("training", "", step=0, of=12)
        for step in range(1, 9):
            worker.progress(step, 12)
        raise WorkerStopped("Stopped at once.", now=True)

    assert run([str(folder.path)], body) == 3
    status = folder.read_status()
    assert (status.step, status.of, status.message) == (8, 12, "Stopped at once.")


def test_a_deleted_folder_ends_the_worker_and_nothing_comes_back(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "GONE_AFTER", 0.0)

    def body(worker: Worker, recipe: Recipe) -> None:
        shutil.rmtree(folder.path)
        with pytest.raises(JobGone):
            worker.asked()
        worker.event("phase", "never written")

    assert run([str(folder.path)], body) == 1
    assert not folder.path.exists()


def test_what_needs_the_folder_waits_for_it_and_the_phase_stays_what_it_was(folder: JobFolder) -> None:
    worker = Worker(folder)
    worker.phase("training", step=3, of=9)
    back = take_away(folder.path)
    with pytest.raises(Unreachable, match=r"No such file or directory: the adapter could not be written\.$"):
        worker.reach("the adapter could not be written", patience=0.0)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(worker.reach, "checkpoint-8 could not be written")
        until(lambda: worker._waits_for.startswith("Cannot reach the run's folder"), "it waits")
        assert not waiting.done()
        back()
        waiting.result(PATIENCE)
    status = folder.read_status()
    assert (status.state, status.phase, status.step, status.message) == ("running", "training", 3, "")
    alerts = [str(event["message"]) for event in _events(folder) if event["kind"] == "alert"]
    assert "checkpoint-8 could not be written. The run waits until it can be reached." in alerts[-2]
    assert alerts[-1].startswith("The problem is gone")


def test_a_folder_that_is_away_at_the_last_word_is_waited_for(folder: JobFolder) -> None:
    worker = Worker(folder)
    worker.phase("training")
    back = take_away(folder.path)
    worker.metric({"step": 1})
    assert worker.asked() == ()
    with ThreadPoolExecutor() as threads:
        last = threads.submit(worker.end, "failed", "No room for the model.")
        back()
        last.result(PATIENCE)
    assert (folder.read_status().state, folder.read_status().message) == ("failed", "No room for the model.")
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [1]


def test_a_full_disk_pauses_the_run_until_there_is_room(folder: JobFolder) -> None:
    worker = Worker(folder)
    worker.phase("training")
    states = []

    def write(target: Path) -> None:
        target.mkdir()
        (target / "weights").write_bytes(b"w" * 100)
        states.append(folder.read_status().state)
        if len(states) < 3:
            with open("/dev/full", "wb", buffering=0) as device:  # the kernel's own "no space left on device"
                device.write(b"x")

    write_whole(worker, folder.checkpoints / "checkpoint-5", write)
    assert states == ["running", "paused", "paused"]
    assert (folder.checkpoints / "checkpoint-5" / "weights").read_bytes() == b"w" * 100
    assert [path.name for path in folder.checkpoints.iterdir()] == ["checkpoint-5"]
    assert folder.read_status().state == "running"
    assert folder.read_status().phase == "training"
    messages = [str(event["message"]) for event in _events(folder)]
    assert any(message.startswith("The disk is full: checkpoint-5 could not be written.") for message in messages)


def test_a_folder_gets_its_name_when_the_disk_has_all_of_it(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder.checkpoints / "checkpoint-5"
    synced: list[str] = []
    really = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), folder.path))
        if len(synced) == 1:  # a quota of a network file system speaks up here
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        if synced[-1] != "checkpoints":
            assert not target.exists()
        really(descriptor)

    def write(place: Path) -> None:
        (place / "parts").mkdir(parents=True)
        for name in ("weights", "parts/0"):
            (place / name).write_bytes(b"w")

    (folder.checkpoints / ".checkpoint-4.partial").mkdir(parents=True)  # of a worker that was killed while it saved
    monkeypatch.setattr(os, "fsync", watched)
    write_whole(Worker(folder), target, write)
    beside = "checkpoints/.checkpoint-5.partial"
    whole = {f"{beside}/weights", beside, f"{beside}/parts/0", f"{beside}/parts", "checkpoints"}
    assert set(synced[1:]) == whole
    assert synced[-1] == "checkpoints"
    assert [path.name for path in folder.checkpoints.iterdir()] == ["checkpoint-5"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o007, 0o660)])
def test_weight_files_have_the_mode_that_the_umask_leaves(folder: JobFolder, umask: int, mode: int) -> None:
    """Safetensors makes its files readable by their owner alone, so nobody else could serve an adapter."""
    import numpy as np
    from safetensors.numpy import save_file

    def write(place: Path) -> None:
        (place / "parts").mkdir(parents=True)
        save_file({"a": np.zeros(4)}, place / "adapter_model.safetensors")
        save_file({"a": np.zeros(4)}, place / "parts" / "model-00001-of-00002.safetensors")
        (place / "adapter_config.json").write_text("{}")

    before = os.umask(umask)
    try:
        for target in (folder.adapter, folder.checkpoints / "checkpoint-5"):
            write_whole(Worker(folder), target, write)
    finally:
        os.umask(before)
    for target in (folder.adapter, folder.checkpoints / "checkpoint-5"):
        found = {str(path.relative_to(target)): path.stat().st_mode & 0o777 for path in target.rglob("*.*")}
        assert found == {
            "adapter_model.safetensors": mode,
            "parts/model-00001-of-00002.safetensors": mode,
            "adapter_config.json": mode,
        }


def test_a_stop_is_answered_while_it_waits_for_a_full_disk(folder: JobFolder) -> None:
    worker = Worker(folder)
    tried = 0

    def write(target: Path) -> None:
        nonlocal tried
        tried += 1
        (folder.requests / "stop").write_text("{}")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WorkerStopped, match="while paused"):
        write_whole(worker, folder.checkpoints / "checkpoint-5", write)
    assert 1 <= tried <= 2
    assert list(folder.checkpoints.iterdir()) == []


def test_any_other_fault_of_writing_is_not_waited_for(folder: JobFolder) -> None:
    def write(target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        write_whole(Worker(folder), folder.checkpoints / "checkpoint-5", write)


def test_the_oldest_checkpoints_go_by_number_not_by_name(tmp_path: Path) -> None:
    for step in (5, 10, 20, 100):
        checkpoint(tmp_path, step)
    assert drop_old(tmp_path, 2) == ["checkpoint-5", "checkpoint-10"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-100", "checkpoint-20"]


def test_checkpoints_that_are_not_whole_push_none_out(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40, 50):
        checkpoint(tmp_path, step)
    for step in (30, 50):
        (tmp_path / f"checkpoint-{step}" / "weights").write_bytes(b"")  # torn by a power cut
    (tmp_path / "checkpoint-mine").mkdir()
    assert drop_old(tmp_path, 3) == []
    assert drop_old(tmp_path, 2, best=10) == []
    assert drop_old(tmp_path, 1, best=10) == ["checkpoint-20", "checkpoint-30"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("checkpoint-10", "checkpoint-40", "checkpoint-50", "checkpoint-mine")
    ]


def checkpoint(folder: Path, step: int) -> None:
    """A checkpoint that is whole."""
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "weights").write_bytes(b"w")
    seal(path, {})


def test_what_a_paused_run_holds_is_told_for_gpu_and_machine_and_all_ranks() -> None:
    one = (7 << 30, 3 << 30)
    assert memory_words([one]) == "7.0 GiB of GPU memory and 3.0 GiB of RAM"
    assert memory_words([one, one]) == "14.0 GiB of GPU memory and 6.0 GiB of RAM on 2 ranks"
    assert memory_words([(0, 3 << 30)]) == "3.0 GiB of RAM"
