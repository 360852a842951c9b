"""What the verdict costs a viewer that opens a run of 100,000 steps, held against reading the same lines as JSON."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable

from core.verdict import VerdictJudge, VerdictKind
from tests.benchmarks.table import Row

STEPS = 100_000
MORE_METRICS = 16


def run() -> list[Row]:
    """Measure CPU time, the best of three."""
    chance = random.Random(7)
    lines = []
    for step in range(1, STEPS + 1):
        record = {
            "t": 1e9 + step,
            "step": step,
            "loss": 1.0 + 0.6 * math.exp(-step / 300) - 1e-6 * step + chance.gauss(0, 0.25),
            "grad_norm": math.exp(chance.gauss(0, 0.3)),
            "learning_rate": 2e-4 * (1 - step / STEPS),
            "epoch": 3 * step / STEPS,
            **{f"metric_{number}": chance.random() for number in range(MORE_METRICS)},
        }
        lines.append(json.dumps(record))
    records = [json.loads(line) for line in lines]

    def judge() -> None:
        judge = VerdictJudge({}, STEPS)
        judge.add(records)
        assert judge.verdict().kind is VerdictKind.HEALTHY

    parsing = _best(lambda: [json.loads(line) for line in lines])
    judging = _best(judge)
    return [
        Row(
            f"verdict on {STEPS:,} steps",
            1_000 * judging,
            "ms CPU",
            f"json.loads of the lines {1_000 * parsing:.0f} ms",
            judging / parsing,
            "<= 1",
            judging <= parsing,
        )
    ]


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)
