"""Runs of any length for the measurements of the live screen, written as keeper and worker write them."""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.jobs import process
from core.jobs.folder import JobFolder

EXTRAS = ("entropy", "mean_token_accuracy", "rewards/margins", *(f"extra/metric_{number}" for number in range(14)))
"""Metrics beside the trainer's own seven, so that a line has 24."""


def metrics(steps: range, of: int, *, seed: int = 1, extras: Sequence[str] = EXTRAS) -> Iterator[dict[str, Any]]:
    """Records for some steps, as `metrics.jsonl` holds them, each with its time: seven metrics, and the extras."""
    noise = random.Random(seed)
    begun = time.time() - 0.4 * len(steps)
    for step in steps:
        loss = 0.8 + 3 * math.exp(-6 * step / of) + noise.gauss(0, 0.12)
        record = {
            "t": round(begun + 0.4 * (step - steps.start), 3),
            "step": step,
            "loss": loss,
            "grad_norm": 1 + abs(noise.gauss(0, 0.2)),
            "learning_rate": 2e-4 * (1 - step / of),
            "num_tokens": 812.0 * step,
            "epoch": 4 * step / of,
            "tokens_per_second": 4000 + noise.gauss(0, 100),
            "eta_seconds": (of - step) * 0.4,
        }
        record.update((name, round(noise.random(), 6)) for name in extras)
        yield record


def gpu(moment: float, noise: random.Random) -> dict[str, Any]:
    """A record of `gpu.jsonl` of one GPU at work."""
    sample = {
        "index": 0,
        "uuid": "GPU-0",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_total": 80 << 30,
        "memory_used": (61 << 30) + noise.randrange(1 << 27),
        "processes": [[os.getpid(), 59 << 30]],
        "utilization": noise.randrange(90, 100),
        "temperature": noise.randrange(64, 70),
        "power": 400 + noise.randrange(60),
        "power_limit": 700.0,
        "throttle": [],
        "problem": "",
    }
    worker = {"rss": 1 << 30, "cpu": 99.0, "pids": [os.getpid()]}
    ram = {"total": 64 << 30, "free": 32 << 30}
    return {"t": round(moment, 3), "gpus": [sample], "devices": [0], "problem": "", "worker": worker, "ram": ram}


def make_run(workspace: Path, steps: int, of: int, *, extras: Sequence[str] = EXTRAS) -> JobFolder:
    """An active run whose keeper and worker are this process.

    Args:
        workspace: the folder that holds `runs/`.
        steps: lines of metrics that it has already.
        of: steps in all.
        extras: metrics beside the trainer's own.
    """
    folder = JobFolder.create(workspace / "runs", "long run", "training")
    identity = process.identify(os.getpid())
    assert identity is not None
    me = identity.to_json()
    folder.write_job({**folder.read_job(), "keeper": me})
    with open(folder.metrics, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in metrics(range(1, steps + 1), of, extras=extras))
    now = time.time()
    folder.write_status(
        state="running", phase="training", step=steps, of=of, message="", started=now - 0.4 * steps, heartbeat=now,
        worker=me, stage=0, stages=1,
    )  # fmt: skip
    return folder
