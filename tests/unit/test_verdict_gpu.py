"""GPUs that wait or are too hot. The real pynvml reads a stand-in for NVIDIA's library: no GPU is here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.paths import ROOT
from core.verdict import Verdict, VerdictJudge, VerdictKind
from core.verdict import thresholds as at
from tests.kit import nvml
from tests.kit.verdict_runs import RECIPE, course

READ = """
import json
from core.gpu.nvml import GpuReader
reader = GpuReader()
reader.open()
print(json.dumps([sample.to_json() for sample in reader.read()]))
"""
HEAT, POWER_LIMIT = 0x20, 0x04

Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def read(nvml_library: Path, tmp_path: Path) -> Read:
    """Reads GPUs with these utilisations and reasons for lower clocks, as `gpu.jsonl` has them."""

    def read(*gpus: tuple[int | None, int]) -> list[dict[str, Any]]:
        lines = [f"driver gpus {len(gpus)}"]
        for number, (busy, reasons) in enumerate(gpus):
            lines += [f"{number} uuid GPU-{number}", f"{number} name NVIDIA L4", f"{number} throttle {reasons}"]
            lines += [] if busy is None else [f"{number} utilization {busy}"]
        readings = tmp_path / "readings.txt"
        readings.write_text("\n".join(lines) + "\n")
        environment = {**os.environ, **nvml.environment(nvml_library, readings)}
        done = subprocess.run(
            [sys.executable, "-c", READ], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return read


def records(gpus: list[dict[str, Any]], first: int, last: int, **values: Any) -> list[dict[str, Any]]:
    """The same reading once a second, as the keeper writes it; step n of `course` is at second 1,000 + n."""
    worker = {"rss": 1, "cpu": 100.0, "pids": [1]}
    fields = {"devices": list(range(len(gpus))), "worker": worker, **values}
    return [{"t": 1_000.5 + second, "gpus": gpus, **fields} for second in range(first, last)]


def verdict_of(gpu: list[dict[str, Any]], steps: int = 300) -> Verdict:
    judge = VerdictJudge(RECIPE, 1_000)
    judge.add(course(steps))
    judge.add_gpu(gpu)
    return judge.verdict()


def test_a_gpu_that_works_less_than_half_of_the_time_is_starved(read: Read) -> None:
    verdict = verdict_of(records(read((31, 0)), 0, 200))
    assert verdict.kind is VerdictKind.STARVED
    assert "31%" in verdict.sentence
    assert "CPU is at 100%" in verdict.sentence
    assert verdict.advice[0].setting == "training.batch_size"


def test_busy_gpus_and_those_that_do_not_tell_are_no_matter(read: Read) -> None:
    assert verdict_of(records(read((97, 0)), 0, 200)).kind is VerdictKind.HEALTHY
    assert verdict_of(records(read((None, 0)), 0, 200)).kind is VerdictKind.HEALTHY


def test_two_minutes_must_have_been_seen(read: Read) -> None:
    assert verdict_of(records(read((5, 0)), 0, at.WATCHED - 1)).kind is VerdictKind.HEALTHY


def test_one_idle_gpu_among_eight_is_named(read: Read) -> None:
    gpus = read(*[(3 if number == 5 else 98, 0) for number in range(8)])
    assert "GPU 5 is busy only 3%" in verdict_of(records(gpus, 0, 200)).sentence


def test_another_ones_idle_gpu_is_no_matter(read: Read) -> None:
    gpus = read((97, 0), (0, 0))
    assert verdict_of(records(gpus, 0, 200, devices=[0])).kind is VerdictKind.HEALTHY


def test_a_pause_for_a_checkpoint_is_no_starving(read: Read) -> None:
    busy, idle = read((97, 0)), read((0, 0))
    assert (
        verdict_of([*records(busy, 0, 80), *records(idle, 80, 110), *records(busy, 110, 200)]).kind
        is VerdictKind.HEALTHY
    )


def test_before_the_first_step_and_after_the_last_an_idle_gpu_is_as_it_should_be(read: Read) -> None:
    busy, idle = read((97, 0)), read((0, 0))
    gpu = [*records(idle, -300, 0), *records(busy, 0, 130), *records(idle, 130, 600)]
    assert verdict_of(gpu, steps=131).kind is VerdictKind.HEALTHY


def test_between_the_limits_it_stays_what_it_was(read: Read) -> None:
    low, middle, high = read((45, 0)), read((55, 0)), read((65, 0))
    judge = VerdictJudge(RECIPE, 1_000)
    judge.add(course(900))
    found = []
    for reading, first in ((middle, 0), (low, 200), (middle, 400), (high, 600)):
        judge.add_gpu(records(reading, first, first + 200))
        found.append(judge.verdict().kind)
    assert found == [VerdictKind.HEALTHY, VerdictKind.STARVED, VerdictKind.STARVED, VerdictKind.HEALTHY]


def test_clocks_held_down_by_heat_are_thermal_throttling_a_power_limit_is_not(read: Read) -> None:
    verdict = verdict_of(records(read((99, HEAT)), 0, 200))
    assert verdict.kind is VerdictKind.THROTTLED
    assert "100% of the last 2 min" in verdict.sentence
    assert verdict_of(records(read((99, POWER_LIMIT)), 0, 200)).kind is VerdictKind.HEALTHY


def test_a_fault_of_the_losses_comes_before_one_of_the_devices(read: Read) -> None:
    judge = VerdictJudge(RECIPE, 1_000)
    judge.add(course(300, lambda step: 1.0 + (step > 100) * 0.02 * (step - 100)))
    judge.add_gpu(records(read((5, HEAT)), 0, 200))
    assert judge.verdict().kind is VerdictKind.DIVERGING


@pytest.mark.parametrize(
    "record", [{}, {"t": 1_100}, {"t": "x", "gpus": 3}, {"t": 1_100, "gpus": [None], "devices": [0, 9]}]
)
def test_records_of_any_shape_do_no_harm(record: dict[str, Any]) -> None:
    assert verdict_of([record] * 200).kind is VerdictKind.HEALTHY
