"""Numbers from files as moments and spans: whatever stands there, nothing raises."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest

from core import timestamps, units
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.runs import list_runs
from core.jobs.status import from_json
from core.paths import ROOT

SENSELESS: tuple[Any, ...] = (
    1e18,
    1_795_000_000_000,
    10**400,
    math.nan,
    math.inf,
    -1,
    "1795000000",
    "",
    None,
    True,
    [],
)


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_what_is_no_moment_is_shown_as_unknown(value: Any) -> None:
    assert timestamps.seconds(value) is None
    assert timestamps.text(value, "%H:%M:%S") == "-"
    assert not timestamps.same_day(value, value)


def test_a_moment_is_shown_in_local_time() -> None:
    noon = time.mktime((2026, 11, 22, 12, 30, 5, 0, 0, -1))
    assert timestamps.text(noon, "%Y-%m-%d %H:%M:%S") == "2026-11-22 12:30:05"
    assert timestamps.same_day(noon, noon + 3600)
    assert not timestamps.same_day(noon, noon + 86_400)


@pytest.mark.parametrize("value", [1e18, math.nan, math.inf])
def test_what_is_no_span_is_shown_as_unknown(value: float) -> None:
    assert (units.duration(value), units.clock(value)) == ("-", "-")


def test_no_other_place_makes_a_date_of_a_number() -> None:
    """One place that trusts a number from a file ended the screen that showed it."""
    makers = re.compile(r"fromtimestamp|\blocaltime\b|\bgmtime\b|\bctime\(|\bstrftime\(")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("core", "tui")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if makers.search(line) and path.name != "timestamps.py"
    ]
    assert found == []


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_a_status_keeps_no_senseless_moment_and_an_ending_stays_one(value: Any) -> None:
    status = from_json(dict.fromkeys(("started", "heartbeat", "ended", "earlier"), value) | {"state": "finished"})
    assert (status.started, status.heartbeat, status.ended, status.earlier) == (None, None, None, 0.0)
    assert status.seconds(time.time()) is None
    assert status.over == (type(value) in (int, float))


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_runs_with_senseless_moments_are_listed_and_followed(tmp_path: Path, value: Any) -> None:
    good = JobFolder.create(tmp_path / "runs", "good", "training")
    odd = JobFolder.create(tmp_path / "runs", "odd", "training")
    odd.job.write_text(json.dumps({**odd.read_job(), "created": value}))
    odd.status.write_text(json.dumps({"state": "finished", "started": value, "ended": value, "stage": 1}))
    odd.metrics.write_text(json.dumps({"t": value, "step": value, "loss": 1.0}) + "\n")
    odd.gpu.write_text(json.dumps({"t": value, "gpus": [], "worker": None}) + '\n{"t": 5.0}\n')
    assert [run.id for run in list_runs(tmp_path)] == [good.id, odd.id]
    assert [record["t"] for record in Follower(odd).poll().gpu] == [5.0]
