"""Run folders in every state, written through `JobFolder` as keeper and worker write them."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

from core.jobs import process
from core.jobs.folder import JobFolder

GIB = 2**30


def make_run(parent: Path, *, steps: int = 60, of: int = 100, **status: Any) -> JobFolder:
    """A training run whose keeper and worker are this very process, so that it counts as alive.

    Args:
        parent: the workspace.
        steps: log events that are in it already, one a step.
        of: steps in all.
        **status: fields of `status.json` to write in place of the usual ones.
    """
    folder = JobFolder.create(parent / "runs", "support tone", "training")
    identity = process.identify(os.getpid())
    assert identity is not None
    me = identity.to_json()
    folder.write_job({**folder.read_job(), "keeper": me})
    add_steps(folder, range(1, steps + 1), of)
    folder.append_event("checkpoint", "Checkpoint 50 saved (3.1 MB, 0.2 s).")
    fields = {
        "state": "running",
        "phase": "training",
        "step": steps,
        "of": of,
        "message": "",
        "started": time.time() - 41,
        "heartbeat": time.time(),
        "worker": me,
        "stage": 0,
        "stages": 2,
    }
    folder.write_status(**{**fields, **status})
    return folder


def add_steps(folder: JobFolder, steps: range, of: int) -> None:
    """Metrics for some steps, with the keys that the worker writes; an eval loss at every tenth step."""
    for step in steps:
        loss = 0.8 + 4.2 * math.exp(-6 * step / of) + 0.15 * math.sin(step * 2.7)
        folder.append_metric(
            {
                "t": time.time() + (step - steps.stop) * 0.4,
                "step": step,
                "loss": loss,
                "grad_norm": 1 + abs(math.sin(step)),
                "learning_rate": 1e-2 * (1 - step / of),
                "num_tokens": 812 * step,
                "epoch": 4 * step / of,
                "tokens_per_second": 4000 + 100 * math.sin(step),
                "eta_seconds": (of - step) * 0.4,
            }
        )
        if step % 10 == 0:
            folder.append_metric({"step": step, "eval_loss": loss + 0.1, "epoch": 4 * step / of})


def gpu(index: int = 0, **values: Any) -> dict[str, Any]:
    """A reading of one GPU as `gpu.jsonl` holds it."""
    return {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_total": 80 * GIB,
        "memory_used": int(61.2 * GIB),
        "processes": [[os.getpid(), int(58.9 * GIB)]],
        "utilization": 94,
        "temperature": 67,
        "power": 412.4,
        "power_limit": 700.0,
        "throttle": [],
        "problem": "",
        **values,
    }


def gpu_record(*gpus: dict[str, Any], problem: str = "") -> dict[str, Any]:
    """A record of `gpu.jsonl`, the worker being this process."""
    return {
        "t": time.time(),
        "gpus": list(gpus),
        "devices": list(range(len(gpus))),
        "problem": problem,
        "worker": {"rss": int(1.2 * GIB), "cpu": 99.0, "pids": [os.getpid()]},
        "ram": {"total": 16 * GIB, "free": 9 * GIB},
    }
