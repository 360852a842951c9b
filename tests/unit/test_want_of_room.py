"""A save that finds no room, in whatever words its writer says so, waits for room; on a real file system without it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.engine.worker import Worker
from core.jobs.files import DiskFull
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA
from core.recipe import memory
from core.recipe.recipe import Recipe, put
from core.runs import preflight
from core.training.saving import write_whole


class _Waiting(Worker):
    """A worker whose pauses end at once: something is deleted, and it tries again."""

    def __init__(self, folder: JobFolder, frees: Callable[[], object] = lambda: None) -> None:
        super().__init__(folder)
        self.waited: list[str] = []
        self._frees = frees

    def pause_until(
        self, ready: Callable[[], bool], message: str, *, every: float = 2.0, patience: float | None = None
    ) -> None:
        self.waited.append(message)
        assert not ready(), "there is no more room than before"
        self._frees()
        assert ready()


@pytest.fixture
def few_inodes(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for thirty files and plenty of bytes."""
    place = tmp_path / "few"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=30,size=4m", "tmpfs", place], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_no_inode_is_left_for_a_tokenizer_and_the_save_waits(few_inodes: Path) -> None:
    from tokenizers import Tokenizer

    folder = JobFolder.create(few_inodes, "x", "training")
    tokenizer = Tokenizer.from_file(str(SAMPLE_DATA / "tiny_base" / "tokenizer.json"))
    others = few_inodes / "others"
    others.mkdir()

    def write(place: Path) -> None:
        place.mkdir()
        (place / "weights").write_bytes(b"w")
        tokenizer.save(str(place / "tokenizer.json"))  # a plain Exception, with the number in its words

    folder.checkpoints.mkdir()
    number = 0
    while os.statvfs(few_inodes).f_favail > 2:
        (others / str(number)).touch()
        number += 1
    worker = _Waiting(folder, lambda: shutil.rmtree(others))
    write_whole(worker, folder.checkpoints / "checkpoint-5", write)
    (said,) = worker.waited
    assert "out of inodes" in said
    assert "checkpoint-5" in said
    assert (folder.checkpoints / "checkpoint-5" / "tokenizer.json").stat().st_size > 1000


@pytest.mark.parametrize(
    "error",
    [
        Exception("No space left on device (os error 28)"),
        Exception("Error while serializing: I/O error: Disk quota exceeded (os error 122)"),
        ValueError("No space left on device"),
        DiskFull("The disk is full"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    ],
    ids=lambda error: str(error)[:24],
)
def test_whatever_the_writer_calls_it(tmp_path: Path, error: Exception) -> None:
    folder = JobFolder.create(tmp_path, "x", "training")
    tries = 0

    def write(place: Path) -> None:
        nonlocal tries
        tries += 1
        place.mkdir()
        if tries < 3:
            raise error

    worker = _Waiting(folder)
    write_whole(worker, folder.checkpoints / "checkpoint-5", write)
    assert (len(worker.waited), tries) == (1, 3)
    assert "disk is full" in worker.waited[0]


def test_a_small_file_that_the_run_needs_waits_too(tmp_path: Path) -> None:
    worker, tries = _Waiting(JobFolder.create(tmp_path, "x", "training")), []

    def write() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise DiskFull("The disk is full")

    worker.write_with_room(write, "the comparison could not be written")
    assert len(tries) == 3
    assert "comparison" in worker.waited[0]


def test_an_error_without_a_reason_is_the_disk_where_that_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = JobFolder.create(tmp_path, "x", "training")
    tries = 0

    def write(place: Path) -> None:
        nonlocal tries
        tries += 1
        place.mkdir()
        raise RuntimeError(words)

    words = f"File {tmp_path}/optimizer.pt cannot be opened."
    room = SimpleNamespace(f_files=100, f_favail=0, f_bavail=1 << 30, f_frsize=4096)
    target, worker = folder.checkpoints / "checkpoint-5", _Waiting(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda path: room)
        with pytest.raises(AssertionError):
            write_whole(worker, target, write)
    assert "out of inodes" in worker.waited[0]
    with pytest.raises(RuntimeError):  # on a disk with room it is what it says
        write_whole(Worker(folder), target, write)
    words = "shapes differ"
    monkeypatch.setattr(os, "statvfs", lambda path: room)
    with pytest.raises(RuntimeError, match="differ"):
        write_whole(worker, target, write)


def test_preflight_counts_inodes_and_names_fewer_checkpoints_only_where_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))

    def disk(free: int, inodes: int = 1 << 20, keep: int = 3) -> preflight.PreflightCheck:
        room = SimpleNamespace(f_files=1 << 21, f_favail=inodes, f_bavail=free // 4096, f_frsize=4096)
        monkeypatch.setattr(os, "statvfs", lambda path: room)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
        chosen = put(recipe, "training.keep_checkpoints", keep)
        (check,) = [check for check in preflight.preflight(chosen, tmp_path) if check.name == "disk"]
        return check

    assert disk(1 << 40).verdict == "ok"
    assert (few := disk(1 << 40, inodes=60)).verdict == "stop"
    assert "60" in few.sentence
    assert "inodes" in few.sentence
    assert few.path == ""
    assert disk(1 << 40, inodes=140, keep=50).path == "training.keep_checkpoints"
    monkeypatch.setattr(memory, "checkpoint_bytes", lambda *_: float(1 << 30))
    assert disk(3 << 30).path == "training.keep_checkpoints"
    full = disk(1 << 30)
    assert (full.verdict, full.path) == ("stop", "")
    assert "fewer" not in full.sentence
    assert disk(1 << 30, keep=1).path == ""
