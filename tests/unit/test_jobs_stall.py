"""A run that makes no step any more is said to stall, by a clock of the keeper's own; nothing else is."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.children import STAGES, write_stages
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import clean_environment
from core.jobs.stall import OTHERS, SHORTEST, Stall, StallChange, StallWatch, stall_of
from core.jobs.status import Status, from_json
from core.jobs.trust import COMMAND, ConsentRequest
from core.verdict.notify import facts_of
from core.verdict.run import RunJudge
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import ended, events, folder, running
from tests.kit.waiting import until
from tui.run_words import run_words

__all__ = ["folder"]


class _Run:
    """A run, its keeper's watch, and their time; each second the watch looks once."""

    def __init__(self, **status: Any) -> None:
        self.now = 1_000.0
        self.written = 0
        self.status: dict[str, Any] = {"state": "running", "phase": "training", "step": 0, "stage": 0, **status}
        self.watch = StallWatch(lambda: self.written, clock=lambda: self.now)
        self.news: list[StallChange] = []
        self.last: StallChange | None = None

    def read(self) -> Status:
        return from_json(self.status)

    def passes(self, seconds: float, *, blind: bool = False) -> None:
        for _ in range(round(seconds)):
            self.now += 1.0
            self._look(blind=blind)

    def jumps(self, seconds: float) -> None:
        """A suspended machine, or a keeper that was stopped: time without looks."""
        self.now += seconds
        self._look()

    def steps(self, number: int, seconds: float) -> None:
        for _ in range(number):
            self.passes(seconds)
            self.status["step"] += 1
        self._look()

    def _look(self, *, blind: bool = False) -> None:
        change = self.watch.look(self.read(), blind=blind)
        if change is not None:
            self.last = change
            if change.news:
                self.news.append(change)


def test_no_step_for_ten_times_the_usual_is_a_stall_and_a_step_ends_it() -> None:
    run = _Run()
    run.steps(60, 60.0)
    run.passes(590.0)
    assert run.news == []
    run.passes(20.0)
    (begun,) = run.news
    assert begun.stall is not None
    assert begun.stall.step == 60
    assert begun.stall.usual == pytest.approx(60, abs=1)
    run.passes(300.0)
    assert len(run.news) == 1, "said once; how long it lasts is written again"
    assert run.last is not None
    assert run.last.stall is not None
    assert run.last.stall.seconds > 840
    run.steps(1, 1.0)
    assert run.news[-1].stall is None
    assert run.news[-1].lasted == pytest.approx(911, abs=3)
    run.passes(500.0)
    assert len(run.news) == 2, "the long step is none of the usual ones"


def test_fast_steps_have_five_minutes_and_the_first_has_fifteen() -> None:
    run = _Run()
    run.status["step"] = 100
    run.passes(SHORTEST + 10)
    assert run.news == [], "how long a step takes is not known yet"
    run.passes(OTHERS)
    assert len(run.news) == 1
    fast = _Run()
    for _ in range(10):
        fast.passes(1.0)
        fast.status["step"] += 20
    fast.passes(SHORTEST)
    assert fast.news == []
    fast.passes(5.0)
    assert len(fast.news) == 1


def test_what_is_no_step_counts_by_its_own_progress() -> None:
    run = _Run()
    run.steps(10, 1.0)
    run.status |= {"activity": "evaluating"}
    for batch in range(5):
        run.status["message"] = f"Evaluating: batch {batch}."
        run.passes(OTHERS - 10)
    assert run.news == []
    run.passes(20.0)
    assert run.news[-1].stall is not None
    assert run.news[-1].stall.activity == "evaluating"
    run.status |= {"activity": ""}
    run.passes(1.0)
    assert [one.stall is None for one in run.news] == [False, True]
    run.status |= {"activity": "generating"}
    for sign in range(4):  # one long answer: a token is a sign
        run.status["signs"] = sign
        run.passes(OTHERS - 10)
    run.status |= {"activity": "saving"}
    for _ in range(60):  # a large checkpoint on a slow disk says nothing, and grows
        run.written += 1 << 30
        run.passes(60.0)
    assert len(run.news) == 2
    run.passes(OTHERS + 60)
    assert len(run.news) == 3
    comparing = _Run(phase="evaluating", stage=1, step=3)
    comparing.passes(OTHERS + 5)
    assert comparing.news[0].stall is not None
    assert comparing.news[0].stall.activity == "evaluating"


@pytest.mark.parametrize("state", ["paused", "starting", "queued"])
def test_a_run_that_waits_does_not_stall(state: str) -> None:
    run = _Run()
    run.steps(10, 1.0)
    run.status["state"] = state
    run.passes(3 * OTHERS)
    run.status["state"] = "running"
    run.passes(SHORTEST - 5)
    assert run.news == []
    loading = _Run(phase="loading")
    loading.passes(10 * OTHERS)
    assert loading.news == []


def test_time_in_which_nobody_looked_is_no_stall() -> None:
    run = _Run()
    run.steps(10, 1.0)
    for _ in range(20):
        run.jumps(36_000.0)
    assert run.news == [], "a laptop that slept"
    run.passes(SHORTEST + 60, blind=True)
    assert run.news == [], "a disk that is full hides the steps"
    run.passes(SHORTEST)
    assert len(run.news) == 1


def test_the_verdict_the_header_and_the_notification_say_it(tmp_path: Path) -> None:
    job = JobFolder.create(tmp_path, "talk", "training", payload={"recipe": {}})
    me = process.identify(os.getpid())
    assert me is not None
    job.write_job({**job.read_job(), "keeper": me.to_json()})
    stall = Stall(12, 372.0, usual=1.2)
    job.write_status(state="running", phase="training", step=12, of=100, started=1.0, stalled=stall.to_json())
    judge, follower = RunJudge(job), Follower(job)
    verdict = judge.take(follower.poll())
    assert verdict is not None, "also before the first metric"
    assert verdict.text().startswith("STALLED at step 12")
    assert "6 min 12 s" in verdict.text()
    assert "1.2 s" in verdict.text()
    assert run_words("running", job.read_status()).startswith("stalled 12 of 100")
    assert (facts := facts_of(job))["verdict"] == "stalled"
    assert facts["text"].startswith("talk: stalled at step 12 of 100\nSTALLED")
    job.write_status(step=13)
    assert stall_of(job.read_status()) is None
    assert judge.take(follower.poll()) is None
    assert run_words("running", job.read_status()).startswith("running")
    job.write_status(step=12, state="failed", ended=2.0)
    assert stall_of(job.read_status()) is None


IMPATIENT = """
import os, sys
from core.jobs import keeper, stall
stall.SHORTEST = stall.OTHERS = 0.3
sys.exit(keeper.main([sys.argv[1], "--foreground"]))
"""


@pytest.fixture
def impatient(folder: JobFolder, tmp_path: Path) -> Iterator[JobFolder]:
    """A job whose keeper waits less long, and runs a command where it stalls."""
    told = f"echo $TUNEDECK_VERDICT $TUNEDECK_STEP >> {tmp_path}/told"
    ConsentRequest(COMMAND, told).agree()
    folder.write_job({**folder.read_job(), "payload": {"at_end": {"targets": [told], "seconds": 20}}})
    environment = clean_environment({STAGES: write_stages([command("works", folder)])})
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", IMPATIENT, str(folder.path)], environment)
    yield folder
    os.waitpid(child, 0)


def test_a_keeper_says_it_with_nobody_watching_and_ends_nothing(impatient: JobFolder, tmp_path: Path) -> None:
    worker = running(impatient)
    os.kill(worker.pid, signal.SIGSTOP)
    begun = until(lambda: [one for one in events(impatient) if one["kind"] == "stall"], "it is an event")[0]
    assert begun["stalled"] is True
    assert begun["stopped"] == [worker.pid]
    assert f"kill -CONT {worker.pid}" in begun["message"]
    assert impatient.read_status().stalled
    told = tmp_path / "told"
    until(lambda: told.exists() and "stalled" in told.read_text(), "somebody is told")
    os.kill(worker.pid, signal.SIGCONT)
    until(lambda: not impatient.read_status().stalled, "it moves again")
    until(lambda: [one for one in events(impatient) if one.get("stalled") is False], "that is an event, too")
    (impatient.requests / "stop").write_text("{}")
    assert ended(impatient).state == "stopped"
