"""What the live screen gathers of a run."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from core.jobs.follow import Update
from core.jobs.status import Status
from tui.live.run import LiveRun


def update(*metrics: dict[str, Any], status: Status | None = None, **fields: Any) -> Update:
    return Update(status or Status(state="running"), "running", "", metrics=list(metrics), **fields)


def test_metrics_become_series_whatever_keys_they_have() -> None:
    run = LiveRun()
    run.add(
        update(
            {"t": 1.0, "step": 1, "loss": 3.0, "epoch": 0.1},
            {"t": 2.0, "step": 2, "loss": nan, "epoch": 0.2},
            {"t": 3.0, "step": 2, "eval_loss": 2.5, "epoch": 0.2},
            {"t": 4.0, "step": 3, "loss": 2, "note": "text", "flag": True, "nothing": None},
            {"t": 5.0, "loss": 9.0},
        )
    )
    assert list(run.main.x) == [1, 2, 3]
    assert isnan(run.main.y[1])
    assert run.last("eval_loss") == 2.5
    assert run.at("epoch", 2.7) == 0.2
    assert run.last("note") is run.last("flag") is run.last("nothing") is None
    assert len(run.average.series) == 3


def test_values_of_mixed_types_keep_what_can_be_drawn() -> None:
    run = LiveRun()
    run.add(update({"step": 1, "kl": None}, {"step": 2, "kl": 0.5}, {"step": 3, "kl": "n/a"}))
    assert list(run.series("kl").x) == [2]


def test_a_resumed_run_overwrites_what_came_after_its_checkpoint() -> None:
    run = LiveRun()
    run.add(update(*({"step": n, "loss": 1.0} for n in range(1, 9))))
    run.add(update(*({"step": n, "loss": 2.0} for n in range(5, 11))))
    assert list(run.main.x) == list(range(1, 11))
    assert list(run.main.y) == [1.0] * 4 + [2.0] * 6


def test_a_file_that_begins_anew_is_drawn_anew() -> None:
    run = LiveRun()
    series = run.main
    run.add(update({"step": 500, "loss": 1.0}))
    run.add(update({"step": 501, "loss": 4.0}, restarted=("metrics.jsonl",)))
    assert list(run.main.x) == [501]
    assert run.main is series


def test_training_steps_are_told_from_those_of_a_later_part() -> None:
    run = LiveRun()
    run.add(update({"step": 92, "loss": 1.0}, status=Status(state="running", step=92, of=92)))
    assert run.progress() == (92, 92)
    run.add(update(status=Status(state="running", step=3, of=20, stage=1, stages=2)))
    assert run.progress() == (92, 92)


def test_the_step_is_that_of_the_newest_line_where_the_status_lags_behind() -> None:
    run = LiveRun()
    run.add(update({"t": 5.0, "step": 68, "loss": 1.0}, status=Status(state="running", step=66, of=122)))
    assert run.progress() == (68, 122)
    resumed = {"t": 9.0, "kind": "resume", "step": 61}
    run.add(update(status=Status(state="running", step=61, of=122), events=[resumed]))
    assert run.progress() == (61, 122), "what came after the checkpoint never was"
    run.add(update({"t": 10.0, "step": 62, "loss": 1.0}, status=Status(state="running", step=61, of=122)))
    assert run.progress() == (62, 122)


def test_the_best_value_is_named_with_its_step() -> None:
    run = LiveRun()
    assert run.best() is None
    run.add(update(*({"step": n, "eval_loss": abs(n - 30) / 10 + 1} for n in range(10, 60, 10))))
    assert run.best() == (30, 1.0)
