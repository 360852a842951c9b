"""Viewers read a growing job: every line once, bounded, whatever happens to the files meanwhile."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path

import pytest

from core.jobs import folder as folders
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.launch import launch
from core.jobs.sampler import SPARSE_PERIOD, thin
from core.jobs.tail import Tail
from tests.kit.jobs_worker import command
from tests.kit.out_of_reach import take_away
from tests.kit.waiting import until


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    job = JobFolder.create(tmp_path / "work" / "runs", "a run", "training")
    me = process.identify(os.getpid())
    assert me is not None
    job.write_job({**job.read_job(), "keeper": me.to_json()})
    job.write_status(state="running", heartbeat=time.time())
    return job


def drain(follower: Follower) -> list[Update]:
    updates = [follower.poll(max_seconds=10)]
    while updates[-1].more:
        updates.append(follower.poll(max_seconds=10))
    return updates


def test_two_viewers_of_a_real_job_see_the_same(tmp_path: Path) -> None:
    job = JobFolder.create(tmp_path, "a run", "training")
    early = Follower(job)
    first = early.poll()
    assert (first.state, first.empty) == ("starting", True)
    launch(job, [command("steps", job)])
    steps: list[int] = []

    def look() -> bool:
        update = early.poll()
        steps.extend(record["step"] for record in update.metrics)
        if len(steps) > 5:
            (job.path / "enough").touch()
        return update.over

    until(look, "the job is over and read")
    late = drain(Follower(job))
    assert steps == list(range(1, len(steps) + 1)), "a step was lost or read twice"
    assert [record["step"] for update in late for record in update.metrics] == steps
    assert late[-1].state == "finished"
    assert late[-1].events[-1]["kind"] == "ended"


def test_half_written_line_is_not_there_yet(folder: JobFolder) -> None:
    follower = Follower(folder)
    with open(folder.metrics, "ab", buffering=0) as file:
        file.write(b'{"step": 1}\n{"step"')
        assert follower.poll().metrics == [{"step": 1}]
        assert follower.poll().metrics == []
        file.write(b": 2}\n")
        assert follower.poll().metrics == [{"step": 2}]


def test_broken_line_costs_itself_only(folder: JobFolder) -> None:
    folder.metrics.write_bytes(b'{"step": 1}\n{"st\n[3]\n\xff\n{"step": 2}\n')
    assert Follower(folder).poll().metrics == [{"step": 1}, {"step": 2}]


def test_not_finite_metrics_are_numbers_again(folder: JobFolder) -> None:
    folder.append_metric({"loss": math.nan, "grad_norm": math.inf, "phase": "nan is a word here"})
    (record,) = Follower(folder).poll().metrics
    assert math.isnan(record["loss"])
    assert record["grad_norm"] == math.inf
    assert record["phase"] == "nan is a word here"


def test_one_poll_is_bounded_and_says_that_more_waits(folder: JobFolder) -> None:
    folder.metrics.write_bytes(b"".join(b'{"step": %d}\n' % step for step in range(5_000)))
    follower = Follower(folder)
    first = follower.poll(max_records=700, max_seconds=10)
    assert (len(first.metrics), first.more) == (700, True)
    assert 0 < len(follower.poll(max_seconds=0).metrics) < 1_000, "time is up after the first piece"
    rest = drain(follower)
    assert rest[-1].metrics[-1] == {"step": 4_999}
    assert not rest[-1].more


def test_line_longer_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a" * 700_000 + b"\nb\n" + b"c" * 300_000)
    reader = Tail(path)
    lines = [*reader.read(10), *reader.read(10), *reader.read(10)]
    assert (len(lines[0]), lines[1:]) == (700_000, [b"b"])
    assert (reader.read(10), reader.behind) == ([], 0), "a line without an end is no reason to look again at once"


def test_progress_bar_without_a_line_end_shows_all_the_same(folder: JobFolder) -> None:
    with open(folder.log, "ab", buffering=0) as file:
        file.write(b"".join(b"\r%5d/9999" % number for number in range(7_000)))
        follower = Follower(folder)
        assert [line.strip() for line in follower.poll().log] == ["6999/9999"]
        file.write(b"\r 9999/9999\n")
        assert [line.strip() for line in follower.poll().log] == ["9999/9999"]


def test_file_that_was_cut_short_is_read_again_and_told(folder: JobFolder) -> None:
    follower = Follower(folder)
    folder.append_metric({"step": 1})
    folder.append_metric({"step": 2})
    assert len(follower.poll().metrics) == 2
    folder.metrics.write_bytes(b'{"step": 1}\n')
    update = follower.poll()
    assert (update.metrics, update.restarted) == ([{"step": 1}], ("metrics.jsonl",))
    assert follower.poll().restarted == ()


@pytest.mark.parametrize("what", ["run", "runs", "workspace"])
def test_a_folder_that_is_away_for_a_while_is_followed_on_and_one_that_stays_away_is_lost(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    place = {"run": folder.path, "runs": folder.path.parent, "workspace": folder.path.parents[1]}[what]
    follower = Follower(folder)
    folder.append_metric({"step": 1})
    follower.poll()
    back = take_away(place)
    update = follower.poll()
    assert (update.state, update.over) == ("running", False)
    assert "No such file or directory" in update.problem
    assert update.detail == update.problem
    assert update.empty
    with monkeypatch.context() as patch:
        patch.setattr(folders, "GONE_AFTER", 0.0)
        update = follower.poll()
    assert (update.state, update.over) == ("lost", True)
    assert "gone" in update.problem
    back()
    folder.append_metric({"step": 2})
    update = follower.poll()
    assert (update.state, update.problem) == ("running", "")
    assert [record["step"] for record in update.metrics] == [2]
    shutil.rmtree(folder.path)


def test_long_log_is_entered_near_its_end_at_a_line(folder: JobFolder) -> None:
    folder.log.write_bytes(b"".join(b"line %06d\n" % number for number in range(10_000)))
    follower = Follower(folder, log_bytes=1_000)
    lines = [line for update in drain(follower) for line in update.log]
    assert lines[-1] == "line 009999"
    assert all(len(line) == len("line 000000") for line in lines)
    assert 80 <= len(lines) <= 84
    assert follower.skipped_log_bytes == 10_000 * 12 - 1_000


def test_log_line_is_what_a_terminal_would_show_of_it(folder: JobFolder) -> None:
    folder.log.write_bytes(b"  0%|   |\r 50%|## |\r100%|###|\r\n\xff\x1b[31mred\n")
    assert Follower(folder).poll().log == ["100%|###|", "\ufffd\x1b[31mred"]


def test_a_line_that_is_no_sample_of_gpus_reaches_no_reader(folder: JobFolder) -> None:
    for odd in ({"devices": 7}, {"gpus": "x"}, {"worker": [1]}, {"worker": {"pids": 5}}):
        folder.append_gpu({"t": 1.0, **odd})
    folder.append_gpu({"t": 2.0, "gpus": [None, 3], "devices": [0, "a", -1, 9], "worker": None})
    assert [sample["t"] for sample in Follower(folder).poll().gpu] == [2.0]


def test_a_clock_that_is_set_back_stops_no_gauge(folder: JobFolder) -> None:
    follower = Follower(folder)
    for moment in (1000.0, 1001.0, 401.0, 402.0):
        folder.append_gpu({"t": moment})
        assert [sample["t"] for sample in follower.poll().gpu] == [moment]


def test_thinned_gpu_history_is_not_read_twice(folder: JobFolder) -> None:
    follower = Follower(folder)
    for second in range(100):
        folder.append_gpu({"t": 1_000.0 + second})
    assert len(follower.poll().gpu) == 100
    thin(str(folder.gpu), before=1_050.0)
    kept = [json.loads(line)["t"] for line in folder.gpu.read_bytes().splitlines()]
    assert kept == [1_000.0 + SPARSE_PERIOD * n for n in range(5)] + [1_000.0 + n for n in range(50, 100)]
    folder.append_gpu({"t": 1_100.0})
    update = follower.poll()
    assert ([record["t"] for record in update.gpu], update.restarted) == ([1_100.0], ())
    assert len(drain(Follower(folder))[0].gpu) == 56, "a viewer that comes later sees the thinned history"
