"""The mean of the last values: one figure in chart and verdict, from the second value on and after a resume."""

from __future__ import annotations

import re
from math import exp, inf, nan, sin
from typing import Any

import pytest

from core.jobs.follow import Update
from core.jobs.status import Status
from core.recent_mean import MEAN_OF, RecentValues, mean_of_last
from core.verdict import VerdictJudge
from tui.live.metrics import headline_words
from tui.live.run import LIMIT, LiveRun


def losses(first: int, end: int) -> list[dict[str, Any]]:
    """A loss that falls fast and scatters."""
    return [
        {"t": float(step), "step": step, "loss": 1 + 4 * exp(-step / 40) + 0.05 * sin(step * 2.7)}
        for step in range(first, end)
    ]


def read(run: LiveRun, records: list[dict[str, Any]]) -> None:
    run.add(Update(Status(state="running", of=4_000), "running", "", metrics=records))


def in_verdict(judge: VerdictJudge) -> str:
    found = re.search(r"-> ([\d.]+) \(mean of 25\)", judge.verdict().sentence)
    assert found is not None, judge.verdict().sentence
    return found[1]


def test_it_is_the_mean_of_the_last_values_or_of_those_there_are() -> None:
    values = RecentValues()
    assert values.mean() is None
    for step, value in enumerate((4.0, 2.0, nan, inf, 1e200, 3.0)):
        values.add(step, value)
    assert values.mean() == 3.0
    assert values.mean(2) == 2.5
    assert mean_of_last([float(n) for n in range(100)]) == sum(range(75, 100)) / 25


def test_steps_that_are_logged_again_count_once_and_what_came_before_them_still_counts() -> None:
    values, other = RecentValues(), RecentValues()
    for step in range(1, 51):
        values.add(step, 9.0 if step > 30 else 1.0)
    values.extend([31, 32], [3.0, 3.0])
    other.extend([*range(1, 51)], [9.0 if step > 30 else 1.0 for step in range(1, 51)])
    for step in (31, 32):
        other.add(step, 3.0)
    assert values.mean() == other.mean() == (23 * 1.0 + 2 * 3.0) / 25


def test_the_average_lies_among_the_last_values_however_long_the_run_is_planned() -> None:
    """At step 100 of 4,000 it lay above all of the last 25."""
    run = LiveRun()
    read(run, losses(1, 101))
    last = run.main.y[-MEAN_OF:]
    shown = run.average.series.last
    assert shown is not None
    assert min(last) < shown < max(last)
    assert shown == pytest.approx(sum(last) / MEAN_OF)


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_chart_and_verdict_print_the_same_figure_at_every_look_and_after_a_resume(piece: int) -> None:
    run, judge = LiveRun(), VerdictJudge({"training": {"scheduler": "constant"}}, 4_000)
    records = [*losses(1, 90), *losses(61, 130)]
    for start in range(0, len(records), piece):
        part = records[start : start + piece]
        read(run, part)
        judge.add(part)
        shown = run.average.series.last
        assert shown == run.mean
        assert shown is not None
        if judge.verdict().kind == "healthy":
            assert in_verdict(judge) == headline_words(shown).strip()
    straight = LiveRun()
    read(straight, losses(1, 130))
    assert straight.mean == run.mean
    assert list(straight.average.series.y) == list(run.average.series.y)


def test_a_resume_does_not_reset_it() -> None:
    run = LiveRun()
    read(run, [{"step": step, "loss": 5.0} for step in range(1, 61)])
    read(run, [{"step": 51, "loss": 0.0}])
    assert run.mean == 24 * 5.0 / 25
    assert run.average.series.last == run.mean


def test_smoothing_has_a_fixed_number_of_values_each() -> None:
    run = LiveRun()
    read(run, losses(1, 301))
    found = {}
    for _ in range(3):
        name = run.next_smoothing()
        found[name] = run.mean_of, run.average.series.last
    values = list(run.main.y)
    assert found == {
        "strong": (100, pytest.approx(sum(values[-100:]) / 100)),
        "off": (1, values[-1]),
        "normal": (25, pytest.approx(sum(values[-25:]) / 25)),
    }


def test_a_run_of_more_values_than_are_kept_still_shows_the_last_ones() -> None:
    """Then an entry of the series stands for several values."""
    run = LiveRun()
    for start in range(1, LIMIT + 50_001, 50_000):
        read(run, [{"step": step, "loss": float(step % 977)} for step in range(start, start + 50_000)])
    last = int(run.main.x[-1])
    assert run.main.scale > 1
    assert run.average.series.last == run.mean == sum(step % 977 for step in range(200_000 - 24, 200_001)) / 25, last
