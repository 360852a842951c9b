"""What a job's folder promises its writers and readers."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs import files
from core.jobs import folder as folders
from core.jobs.files import DiskFull, JobGone, Unreachable
from core.jobs.folder import JobFolder, find, slug
from tests.kit.waiting import until

HAMMER = """
import sys
import threading
from core.jobs.folder import JobFolder
folder, field, times = JobFolder(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(1, times + 1):
    folder.write_status(**{field: number})
    folder.append_event("step", field + "x" * number, number=number)
"""


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "runs", "Support tone", "training", payload={"recipe": {"rank": 16}})


def test_id_tells_date_and_name_and_two_of_a_second_differ(tmp_path: Path) -> None:
    made = [JobFolder.create(tmp_path, "Ton & Stil: 客服!", "training") for _ in range(3)]
    assert len({folder.id for folder in made}) == 3
    assert all("-ton-stil-客服" in folder.id and folder.id[:2] == "20" for folder in made)
    assert slug("../../etc/passwd\x1b[2J") == "etc-passwd-2j"
    assert JobFolder.create(tmp_path, "///", "scan").id.endswith("-scan")


def test_job_json_holds_the_payload(folder: JobFolder) -> None:
    job = folder.read_job()
    assert job["payload"] == {"recipe": {"rank": 16}}
    assert (job["id"], job["kind"], job["name"]) == (folder.id, "training", "Support tone")


def test_folder_without_job_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"job\.json") as caught:
        find(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_parent_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Cannot create a folder"):
        JobFolder.create(tmp_path / "file" / "runs", "x", "training")


def test_two_processes_write_status_and_no_field_is_lost(folder: JobFolder) -> None:
    times = 150
    writers = [
        subprocess.Popen([sys.executable, "-c", HAMMER, folder.path, field, str(times)], cwd=Path.cwd())
        for field in ("step", "of")
    ]
    while any(writer.poll() is None for writer in writers):
        assert folder.read_status().problem == "", "a reader saw a torn file"
    assert [writer.returncode for writer in writers] == [0, 0]
    status = folder.read_status()
    assert (status.step, status.of, status.state) == (times, times, "starting")
    lines = [json.loads(line) for line in folder.events.read_bytes().splitlines()]
    assert len(lines) == 2 * times, "a line of events was torn or lost"
    assert [line["number"] for line in lines if line["message"].startswith("step")] == list(range(1, times + 1))


def test_a_new_start_keeps_the_seconds_that_the_earlier_ones_took(folder: JobFolder) -> None:
    """A run of ten hours that went on for one was said to have taken, and cost, one."""
    folder.reset_status(state="queued")
    assert folder.read_status().seconds(2_000.0) is None
    folder.reset_status(state="starting", started=1_000.0, heartbeat=1_000.0)
    folder.write_status(state="stopped", ended=1_600.0)
    folder.reset_status(state="queued")
    folder.reset_status(state="starting", started=9_000.0, heartbeat=9_000.0)
    folder.reset_status(state="starting", started=9_000.5, heartbeat=9_050.0)
    assert folder.read_status().seconds(9_100.5) == 700.0
    assert folder.read_status().seconds() == pytest.approx(649.5), "of a run that is lost, until it was last heard of"
    folder.write_status(state="finished", ended=9_200.5)
    assert folder.read_status().seconds() == 800.0


def test_progress_is_written_seldom_but_at_its_end(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for step in range(1, 101):
        folder.write_progress(step, 1_000, phase="scanning")
    assert folder.read_status().step == 1
    now += folders.PROGRESS_PERIOD
    folder.write_progress(101, 1_000)
    folder.write_progress(102, 1_000)
    assert folder.read_status().step == 101
    folder.write_progress(1_000, 1_000)
    status = folder.read_status()
    assert (status.step, status.of, status.phase) == (1_000, 1_000, "scanning")


def test_status_that_cannot_be_read_is_a_problem_in_words(folder: JobFolder) -> None:
    for contents in (b"", b'{"state": "runn', b"[1]", b"\xff\xfe"):
        folder.status.write_bytes(contents)
        assert "status.json" in folder.read_status().problem
    folder.status.write_bytes(b'{"state": 7, "step": "x", "worker": [], "heartbeat": true}')
    status = folder.read_status()
    assert (status.state, status.step, status.worker, status.heartbeat) == ("", None, None, None)
    shutil.rmtree(folder.path)
    assert "deleted" in folder.read_status().problem


def test_not_finite_numbers_and_lone_surrogates_stay_json(folder: JobFolder) -> None:
    folder.append_metric({"loss": float("nan"), "grad": [float("inf"), -float("inf")], "text": "\ud83d\u2028"})
    record = json.loads(folder.metrics.read_text("utf-8"))
    assert (record["loss"], record["grad"], record["text"]) == ("nan", ["inf", "-inf"], "\ud83d\u2028")
    assert len(folder.metrics.read_bytes().split(b"\n")) == 2


def test_full_disk_is_an_error_of_its_own_and_old_contents_stay(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, open("/dev/full", "wb", buffering=0) as device:
        patch.setattr(files.os, "write", lambda descriptor, data: device.write(data))
        with pytest.raises(DiskFull, match="disk is full"):
            folder.append_metric({"loss": 1.0})
    folder.write_status(step=4)
    Path(f"{folder.status}.{os.getpid()}.{threading.get_native_id()}.tmp").symlink_to("/dev/full")
    with pytest.raises(DiskFull):
        folder.write_status(step=5)
    assert folder.read_status().step == 4
    folder.write_status(step=6)
    assert folder.read_status().step == 6, "the failed write was not cleaned up"


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
@pytest.mark.parametrize("write", ["write_status", "insist_on_status", "reset_status"])
def test_an_ending_is_on_the_disk_before_and_after_it_gets_its_name(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, write: str, state: str
) -> None:
    """Else a power cut right after the end leaves an empty status, or the one before, and the run counts as lost."""
    done: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))
        if name.endswith(".tmp"):
            with open(f"/proc/self/fd/{descriptor}", encoding="utf-8") as file:
                name = json.loads(file.read())["state"]
        sync(descriptor)
        done.append(("sync", name))

    def watched_replace(source: str, target: str) -> None:
        replace(source, target)
        done.append(("rename", os.path.basename(target)))

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    getattr(folder, write)(state=state)
    assert done == [("sync", state), ("rename", "status.json"), ("sync", folder.id)]


def test_ending_is_written_over_the_old_status_where_nothing_new_fits(folder: JobFolder) -> None:
    folder.write_status(message="x" * 500)
    files.overwrite(os.fspath(folder.status), files.encode({"state": "failed"}))
    assert (folder.read_status().state, folder.read_status().message) == ("failed", "")


@pytest.mark.parametrize("torn", [b"", b'{"state":"run', None])
def test_a_status_that_is_torn_is_whole_again_after_the_next_beat(folder: JobFolder, torn: bytes | None) -> None:
    folder.reset_status(state="running", stage=1)
    folder.write_status(step=4)
    if torn is None:
        folder.status.unlink()
    else:
        folder.status.write_bytes(torn)
    folder.write_status(heartbeat=5.0)
    now = folder.read_status()
    assert (now.state, now.stage, now.step, now.heartbeat) == ("running", 1, 4, 5.0)


def test_line_after_one_that_a_full_disk_cut_short_is_whole(folder: JobFolder) -> None:
    folder.append_event("step", "one")
    with open(folder.events, "ab") as file:
        file.write(b'{"t": 1, "kind": "st')
    folder.append_event("step", "two")
    lines = folder.events.read_bytes().splitlines()
    assert [json.loads(lines[0])["message"], json.loads(lines[2])["message"]] == ["one", "two"]


@pytest.mark.parametrize(("gone_after", "kind"), [(0.0, JobGone), (180.0, Unreachable)])
def test_deleted_folder_is_never_made_again(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, gone_after: float, kind: type[Exception]
) -> None:
    monkeypatch.setattr(folders, "GONE_AFTER", gone_after)
    words = "deleted or moved" if kind is JobGone else "Cannot reach.*No such file or directory"
    shutil.rmtree(folder.path)
    writes = (
        lambda: folder.append_metric({"loss": 1}),
        lambda: folder.append_event("alert", "x"),
        lambda: folder.write_status(step=1),
        lambda: folder.write_job({}),
        folder.check,
    )
    for write in writes:
        with pytest.raises(kind, match=words):
            write()
    assert not folder.path.exists()
    (folder.path / "checkpoints").mkdir(parents=True)  # a library that makes its folder did
    for write in writes:
        with pytest.raises(kind):
            write()
    assert os.listdir(folder.path) == ["checkpoints"]


def test_writer_that_is_stopped_inside_the_lock_delays_others_only_a_moment(folder: JobFolder) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, fcntl, signal; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX);"
            "print('held', flush=True); signal.pause()",
            folder.path / ".status.lock",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        until(lambda: holder.stdout.readline() == b"held\n", "the lock is held")  # type: ignore[union-attr]
        folder.write_status(step=9)
        assert folder.read_status().step == 9
    finally:
        holder.kill()
        holder.communicate()


def test_without_locks_two_threads_of_a_worker_write_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)  # as some mounts of Lustre and NFS answer
    descriptor = files.open_lock(tmp_path / "lock")
    assert files.try_lock(descriptor)
    os.close(descriptor)
    folder = JobFolder.create(tmp_path, "two threads", "training")

    def write(name: str) -> None:
        for number in range(300):
            folder.write_status(**{name: number, "message": name * 200})

    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(write, name) for name in ("step", "of")]:
            done.result()
    assert not folder.read_status().problem
