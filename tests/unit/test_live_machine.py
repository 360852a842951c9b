"""What GPUs and worker did stands over the steps of the run, so that it shares the loss's axis."""

from __future__ import annotations

from typing import Any

from core.jobs.follow import Update
from core.jobs.status import Status
from tui.live.devices import LIMIT
from tui.live.run import LiveRun

GIB = 2**30


def look(*, metrics: list[dict[str, Any]] | None = None, gpu: list[dict[str, Any]] | None = None) -> Update:
    return Update(Status(state="running"), "running", "", metrics=metrics or [], gpu=gpu or [])


def steps(*numbers: int) -> list[dict[str, Any]]:
    """A step each ten seconds."""
    return [{"t": 1000.0 + 10 * number, "step": number, "loss": 1.0} for number in numbers]


def readings(first: int, last: int, *busy: int | None) -> list[dict[str, Any]]:
    """A reading each second, of GPUs this busy, on which the run holds 3 GiB."""
    gpus = [
        {"index": n, "utilization": value, "power": 100.0, "temperature": 50, "processes": [[7, GIB], [8, 2 * GIB]]}
        for n, value in enumerate(busy)
    ]
    worker = {"rss": GIB, "cpu": 80.0, "pids": [7, 8]}
    fields = {"gpus": gpus, "devices": list(range(len(gpus))), "worker": worker}
    return [{"t": 1000.5 + second, **fields} for second in range(first, last)]


def test_readings_between_two_log_events_are_one_mean_at_the_later_ones_step() -> None:
    run = LiveRun()
    run.add(look(metrics=steps(1, 2), gpu=[*readings(-50, 15, 100), *readings(15, 20, 50)]))
    assert list(run.series("GPU 0 use %").x) == [2]
    assert list(run.series("GPU 0 use %").y) == [75.0]
    assert list(run.series("GPU 0 memory GiB").y) == [3.0]
    assert list(run.series("worker CPU %").y) == [80.0]
    assert {"GPU 0 use %", "GPU 0 power W", "GPU 0 heat °C", "worker RAM GiB"} <= set(run.names)


def test_readings_wait_for_the_log_event_after_them() -> None:
    run = LiveRun()
    run.add(look(metrics=steps(1), gpu=readings(0, 15, 90)))
    assert "GPU 0 use %" not in run.names
    run.add(look(gpu=readings(15, 20, 90)))
    run.add(look(metrics=steps(2, 3), gpu=readings(20, 30, 10)))
    assert dict(zip(run.series("GPU 0 use %").x, run.series("GPU 0 use %").y, strict=True)) == {2: 90.0, 3: 10.0}


def test_a_run_that_went_back_drops_what_was_after_its_checkpoint() -> None:
    run = LiveRun()
    run.add(look(metrics=steps(1, 2, 3, 4), gpu=readings(0, 40, 90)))
    again = [{**record, "t": record["t"] + 100} for record in steps(3)]
    run.add(look(metrics=again, gpu=readings(125, 130, 20)))
    assert dict(zip(run.series("GPU 0 use %").x, run.series("GPU 0 use %").y, strict=True)) == {2: 90.0, 3: 20.0}


def test_what_is_not_supported_is_no_metric_and_memory_is_bounded() -> None:
    run = LiveRun()
    run.add(look(metrics=steps(*range(1, 3 * LIMIT)), gpu=readings(10, 30 * LIMIT, None)[::10]))
    assert "GPU 0 use %" not in run.names
    assert len(run.series("GPU 0 power W").x) <= LIMIT
    assert run.series("GPU 0 power W").taken > LIMIT
