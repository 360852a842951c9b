"""Derived jobs: started once however many ask, found again, resumed, kept, stopped; and one follower for all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs import files
from core.jobs.derived import Derived, digest, stop
from core.jobs.folder import JobFolder
from core.jobs.stamps import stamps
from core.jobs.state import JobState, standing
from core.paths import ROOT
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import ended
from tests.kit.waiting import PATIENCE, until
from tui.follow_job import JobFollower, ended_early

SCAN = """
from core.dataset.dataset import Dataset
from core.dataset.scan.derive import scan_payload
from tui.data.scan import find_or_start
dataset = Dataset.open(["rows.jsonl"])
folder = find_or_start(workspace, dataset, scan_payload(dataset, "auto", {}, []))
"""
SEARCH = """
from core.dataset.dataset import Dataset
from core.dataset.near.result import NearOptions
from core.dataset.scan.near_searches import search_job
from core.dataset.scan.derive import scan_payload
dataset = Dataset.open(["rows.jsonl"])
payload = scan_payload(dataset, "auto", {}, [])
folder = search_job(workspace, dataset, payload, NearOptions(), ()).start()
"""
OVERVIEW = """
from core.recipe.recipe import Recipe, put
from core.runs.overview_job import job_of
folder = job_of(workspace, put(Recipe(), "data.train", (str(workspace / "rows.jsonl"),))).start()
"""
# As views and token counts are: their result is elsewhere, so only a job that runs is found.
COUNTING = """
from tests.unit.test_derived import counting
folder = counting(workspace).start()
"""
PROGRAM = """
from pathlib import Path
workspace = Path.cwd()
{start}
print(folder.path)
"""


def counting(workspace: Path, *, holds_result: bool = False, kept: int = 0, key: str = "0a1b2c") -> Derived:
    """A job that counts until it is stopped, or told that it is enough."""
    return Derived(
        workspace=workspace,
        name="count",
        key=key,
        kind="count",
        payload={"what": "steps"},
        stages=lambda folder: [command("steps", folder)],
        holds_result=holds_result,
        can_resume=lambda folder: (folder / "begun").exists(),
        kept=kept,
    )


def jobs(workspace: Path) -> list[Path]:
    return sorted((workspace / ".tunedeck" / "jobs").glob("*-*"))


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(descriptor))
        except OSError:  # closed meanwhile
            continue
    return str(path) in found


@pytest.mark.parametrize("start", [SCAN, SEARCH, OVERVIEW, COUNTING], ids=["scan", "search", "overview", "elsewhere"])
def test_two_processes_that_want_the_same_in_the_same_moment_start_one_job(tmp_path: Path, start: str) -> None:
    row = {"prompt": "What is it?", "completion": "It is this."}
    (tmp_path / "rows.jsonl").write_text((json.dumps(row) + "\n") * 20)
    lock = tmp_path / ".tunedeck" / "jobs" / ".derived.lock"
    lock.parent.mkdir(parents=True)
    program = [sys.executable, "-c", PROGRAM.format(start=start)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with files.locked(str(lock)):
        both = [
            subprocess.Popen(program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for each in both:  # both have looked, and found nothing
            until(lambda each=each: has_open(each.pid, lock), "the process waits for its turn")
    paths = [each.communicate(timeout=PATIENCE)[0].strip() for each in both]
    assert [each.returncode for each in both] == [0, 0]
    (job,) = jobs(tmp_path)
    assert paths == [str(job)] * 2
    stop(JobFolder(job))
    ended(JobFolder(job))


def test_a_file_system_without_locks_still_finds_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    first = counting(tmp_path).start()
    assert counting(tmp_path).start().path == first.path
    assert counting(tmp_path).running() is not None
    stop(first)
    assert ended(first).state == "stopped"
    stop(first)  # one that has ended is left as it is
    assert counting(tmp_path).running() is None


def test_what_has_ended_is_found_resumed_or_started_anew(tmp_path: Path) -> None:
    job = counting(tmp_path, holds_result=True)
    first = job.start()
    stop(first)
    assert ended(first).state == "stopped"
    assert job.find() is None, "it has no result"
    (first.path / "begun").touch()
    assert job.start().path == first.path, "it is resumed in its folder"
    (first.path / "enough").touch()
    assert ended(first).state == "finished"
    assert job.start().path == first.path, "it has the result"
    assert jobs(tmp_path) == [first.path]
    elsewhere = counting(tmp_path)
    (first.path / "begun").unlink()
    second = elsewhere.start()
    assert second.path != first.path, "a finished job does not count where the result is not in its folder"
    stop(second)
    ended(second)


def test_a_result_that_was_computed_without_a_job_is_kept_like_one(tmp_path: Path) -> None:
    def job(key: str) -> Derived:
        return counting(tmp_path, holds_result=True, kept=1, key=key)

    def breaks(folder: JobFolder) -> None:
        raise BadInput("no room")

    with pytest.raises(BadInput, match="no room"):
        job("a").keep(breaks)
    assert jobs(tmp_path) == [], "nothing is left of one that could not be written"
    kept = job("a").keep(lambda folder: (folder.path / "result").write_text("41"))
    found = job("a").find()
    assert found is not None
    assert found.path == kept.path
    assert standing(kept).state == "finished"
    job("a").keep(breaks)  # it is there already
    assert (kept.path / "result").read_text() == "41"
    others = [job(key).keep(lambda folder: None) for key in ("b", "c")]
    assert set(jobs(tmp_path)) == {each.path for each in others}, "the oldest is removed"


def test_the_lock_can_be_taken_by_all_who_may_write_there(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        counting(tmp_path).keep(lambda folder: None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".tunedeck" / "jobs" / ".derived.lock").stat().st_mode) == 0o664


def test_keys_change_with_any_file_below_a_folder(tmp_path: Path) -> None:
    inside = tmp_path / "shards" / "deep" / "a.jsonl"
    inside.parent.mkdir(parents=True)
    inside.write_text("{}\n")
    before = digest(stamps([tmp_path / "shards"]))
    assert stamps([tmp_path / "gone"]) == [(str(tmp_path / "gone"), -1, -1)]
    assert digest(stamps([tmp_path / "shards"])) == before
    inside.write_text("{}\n{}\n")
    assert digest(stamps([tmp_path / "shards"])) != before


def follow(start: Callable[[], JobFolder | None]) -> tuple[JobFollower[str], list[str]]:
    reported: list[str] = []

    def look(folder: JobFolder, now: JobState) -> float | None:
        if not now.over:
            return 0.01
        follower.say("result" if now.state == "finished" else ended_early(now, "count"))
        return None

    follower = JobFollower(
        "count", start=start, look=look, failed=lambda words: f"failed: {words}", post=reported.append
    )
    follower.begin()
    return follower, reported


def test_a_stop_that_comes_before_the_job_is_started_stops_it(tmp_path: Path) -> None:
    asked = threading.Event()

    def start() -> JobFolder:
        asked.wait(PATIENCE)
        return counting(tmp_path).start()

    follower, reported = follow(start)
    follower.stop()
    asked.set()
    until(lambda: reported, "the end")
    assert reported[0].startswith("The count ended early. Saved at step")


def test_a_follower_tells_why_there_is_nothing_to_follow_and_is_quiet_once_closed(tmp_path: Path) -> None:
    def start() -> JobFolder:
        raise BadInput("no such data")

    _, reported = follow(start)
    until(lambda: reported, "the fault")
    assert reported == ["failed: no such data."]
    running = counting(tmp_path).start()
    closed, unreceived = follow(lambda: running)
    closed.close()
    closed.say("too late")
    _, received = follow(lambda: running)
    (running.path / "enough").touch()
    until(lambda: received, "the end")
    assert (received, unreceived) == (["result"], [])
