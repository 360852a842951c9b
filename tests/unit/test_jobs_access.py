"""A job's folder that is away, locked or half cleaned away: what its writers keep, its keeper mends and viewers say."""

from __future__ import annotations

import builtins
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.jobs import files, process, upkeep
from core.jobs import folder as folders
from core.jobs.backlog import Backlog
from core.jobs.files import DiskFull, JobGone, Unreachable
from core.jobs.folder import JobFolder
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.jobs.upkeep import Upkeep
from core.verdict.run_list import RunList
from tui.cli import main

ELSEWHERE = (errno.EACCES, errno.ESTALE, errno.ENOTCONN, errno.EIO, errno.ETIMEDOUT, errno.ENODEV, errno.ENOTDIR)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "runs", "a run", "training")


def faulty(monkeypatch: pytest.MonkeyPatch, code: int, under: Path) -> None:
    """Makes each look at files below a folder fail: the tests run as root, whom no permission keeps out."""

    def fails(function: Callable[..., object], path: object, *arguments: object, **names: object) -> object:
        if isinstance(path, (str, os.PathLike)) and Path(path).is_relative_to(under):
            raise OSError(code, os.strerror(code), os.fspath(path))
        return function(path, *arguments, **names)

    for module, name in ((os, "stat"), (os, "scandir"), (os, "open"), (builtins, "open")):
        monkeypatch.setattr(module, name, partial(fails, getattr(module, name)))


@pytest.mark.parametrize("code", ELSEWHERE, ids=errno.errorcode.get)
def test_any_fault_but_a_missing_file_is_no_deletion_however_long_it_lasts(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(folders, "GONE_AFTER", 0.0)
    with monkeypatch.context() as patch:
        faulty(patch, code, folder.path)
        assert not folder.reachable()
        for write in (partial(folder.append_metric, {"step": 1}), partial(folder.write_status, step=1), folder.check):
            with pytest.raises(Unreachable, match=os.strerror(code)):
                write()
        now = standing(JobFolder(folder.path))
        assert (now.state, now.over) == ("unknown", False)
        assert os.strerror(code) in now.detail
        assert [run.state for run in list_runs(folder.path.parents[1])] in (["unknown"], [])
    assert folder.reachable()
    folder.write_status(of=9)
    status = folder.read_status()
    assert (status.step, status.of) == (1, 9), "what could not be written goes with the next write"


def test_a_missing_folder_is_gone_after_minutes_and_not_when_it_comes_back(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    aside = folder.path.with_name("aside")
    for seconds in (0.0, folders.GONE_AFTER - 1):
        folder.path.rename(aside)
        assert not folder.reachable()
        now += seconds
        assert not folder.reachable()
        aside.rename(folder.path)
        assert folder.reachable()
    folder.path.rename(aside)
    assert not folder.reachable()
    now += folders.GONE_AFTER
    with pytest.raises(JobGone):
        folder.reachable()
    assert folders.GONE_AFTER >= 60, "minutes"


def test_who_never_saw_a_run_calls_it_gone_only_where_other_runs_are_still_there(folder: JobFolder) -> None:
    shutil.rmtree(folder.path)
    assert standing(JobFolder(folder.path)).state == "lost"
    folder.path.parent.rename(folder.path.parents[1] / "aside")
    assert standing(JobFolder(folder.path)).state == "unknown"


def test_lines_wait_in_order_and_each_is_written_once() -> None:
    written: list[int] = []
    fault: Exception | None = Unreachable("away")

    def write(number: int) -> None:
        if fault is not None:
            raise fault
        written.append(number)

    backlog = Backlog(lambda lines: None)
    for number in range(5):
        backlog.add(partial(write, number))
    assert (written, len(backlog), backlog.problem) == ([], 5, "away.")
    fault = DiskFull("full")
    assert not backlog.flush()
    assert backlog.problem == "full."
    fault = None
    backlog.add(partial(write, 5))
    assert (written, len(backlog), backlog.problem) == ([0, 1, 2, 3, 4, 5], 0, "")
    fault = JobGone("gone")
    with pytest.raises(JobGone):
        backlog.add(partial(write, 6))


def test_beyond_the_bound_the_oldest_lines_are_lost_and_that_is_said_first() -> None:
    written: list[object] = []
    away = True

    def write(value: object) -> None:
        if away:
            raise Unreachable("away")
        written.append(value)

    backlog = Backlog(lambda lines: write(f"{lines} lost"), most=3)
    for number in range(5):
        backlog.add(partial(write, number))
    away = False
    assert backlog.flush()
    assert written == ["2 lost", 2, 3, 4]
    assert backlog.flush()
    assert written == ["2 lost", 2, 3, 4]


@pytest.mark.parametrize("fails_in", ["write", "close"])
def test_a_line_that_was_taken_by_a_file_system_that_went_away_is_not_written_twice(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    """As a FUSE or NFS server that is restarted: it has the line, and the answer is an error."""
    really = getattr(os, fails_in)
    folder.append_metric({"t": 1.0, "step": 1})
    with monkeypatch.context() as patch:

        def failing(*arguments: object) -> object:
            really(*arguments)
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

        patch.setattr(os, fails_in, failing)
        with pytest.raises(Unreachable):
            folder.append_metric({"t": 2.0, "step": 2})
    for step in (2, 3, 3):  # the same line twice, on purpose, is two lines
        folder.append_metric({"t": float(step), "step": step})
    assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [1, 2, 3, 3]


def test_a_folder_without_its_job_file_is_listed_while_it_lives(folder: JobFolder) -> None:
    me = process.identify(os.getpid())
    assert me is not None
    folder.write_status(state="running", worker=me.to_json(), heartbeat=1.0)
    workspace = folder.path.parents[1]
    runs = RunList(workspace)
    runs.read()
    folder.job.unlink()
    assert [(run.id, run.state) for run in list_runs(workspace)] == [(folder.id, "running")]
    assert [line.info.id for line in runs.read()] == [folder.id]
    assert "job.json is missing" in standing(folder).detail


def test_upkeep_writes_again_what_vanished_once_nobody_deletes_any_more(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    folder.recipe.write_text("name: tone\n")
    folder.checkpoints.mkdir()
    for number in range(3):
        (folder.checkpoints / str(number)).touch()
    kept = Upkeep(folder)
    assert kept.look() == []
    job = folder.job.read_bytes()
    folder.job.unlink()
    folder.recipe.unlink()
    assert kept.look() == []
    for number in range(3):  # as `rm -rf` does, and slowly
        now += upkeep.RESTORE_AFTER - 1
        (folder.checkpoints / str(number)).unlink()
        assert kept.look() == []
        assert not folder.job.exists()
    now += upkeep.RESTORE_AFTER
    (sentence,) = kept.look()
    assert sentence.startswith("job.json and recipe.yaml")
    assert (folder.job.read_bytes(), folder.recipe.read_text()) == (job, "name: tone\n")
    assert kept.look() == []


def test_upkeep_never_makes_a_deleted_folder_again_and_keeps_the_newest_job_file(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "RESTORE_AFTER", 0.0)
    kept = Upkeep(folder)
    kept.look()
    folder.write_job({**folder.read_job(), "keeper": {"pid": 1}})
    kept.look()
    folder.job.unlink()
    kept.look()
    kept.look()
    assert folder.read_job()["keeper"] == {"pid": 1}
    shutil.rmtree(folder.path)
    assert kept.look() == []
    assert kept.look() == []
    assert not folder.path.exists()


def test_upkeep_touches_all_files_daily_and_never_what_a_link_leads_to(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    own = tmp_path / "users_own.jsonl"
    own.write_text("{}\n")
    folder.data.mkdir()
    (folder.data / "train.jsonl").write_text("{}\n")
    (folder.data / "linked.jsonl").symlink_to(own)
    ours = (folder.job, folder.data, folder.data / "train.jsonl")
    kept = Upkeep(folder)

    def age() -> None:
        for path in (*ours, own):
            os.utime(path, (1.0, 1.0))

    def old() -> list[Path]:
        return [path for path in (*ours, own) if os.stat(path).st_mtime == 1.0]

    age()
    kept.look()
    assert old() == [own]
    assert os.stat(ours[-1]).st_atime != 1.0
    age()
    now += upkeep.TOUCH_EVERY - 1
    kept.look()
    assert len(old()) == 4
    now += 1
    kept.look()
    assert old() == [own]


def test_no_lock_file_or_folder_is_made_in_a_place_that_is_away(folder: JobFolder) -> None:
    aside = folder.path.parent.with_name("aside")
    folder.path.parent.rename(aside)
    for write in (partial(folder.write_status, step=1), partial(folder.append_event, "alert", "x")):
        with pytest.raises(Unreachable):
            write()
    with pytest.raises(JobGone):
        files.make_folder(os.fspath(folder.requests))
    assert not folder.path.parent.exists()


def test_runs_that_cannot_be_looked_up_are_no_empty_list(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = folder.path.parents[1]
    runs = RunList(workspace)
    assert [line.info.state for line in runs.read()] == ["starting"]
    with monkeypatch.context() as patch:
        faulty(patch, errno.EACCES, folder.path.parent)
        assert [line.info.state for line in runs.read()] == ["unknown"]
        assert main(["runs", "--workspace", str(workspace)]) == 1
    assert "Permission denied" in capsys.readouterr().err
    assert [line.info.state for line in runs.read()] == ["starting"]
