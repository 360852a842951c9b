"""Run folders in every state, written through `JobFolder` as keeper and worker write them."""

from __future__ import annotations

import json
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


def finished_run(parent: Path, words: str = "") -> JobFolder:
    """A finished run with its adapter and the answers of both models; two of three answers differ.

    Args:
        parent: the workspace.
        words: stand in the questions and in the tuned model's answers.
    """
    folder = JobFolder.create(parent / "runs", "night", "training")
    folder.write_status(state="finished", step=40, of=40, ended=folder.read_job()["created"] + 61.0)
    folder.append_metric({"step": 40, "loss": 1.5, "eval_loss": 1.75})
    folder.adapter.mkdir()
    (folder.adapter / "adapter_model.safetensors").write_bytes(b"\0" * 2048)
    config = {"base_model_name_or_path": "/models/base", "peft_type": "LORA", "r": 8, "lora_alpha": 16}
    (folder.adapter / "adapter_config.json").write_text(json.dumps(config))
    folder.evaluation.mkdir()
    (folder.evaluation / "summary.json").write_text('{"base_loss": 5.0, "tuned_loss": 1.25, "eval_samples": 3}')
    answers = [
        {
            "n": n,
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": f"question {n} {words}"}],
            "reference": f"reference {n}",
            "base": "same" if n == 0 else f"base {n}",
            "tuned": "same" if n == 0 else f"tuned {n} {words}",
        }
        for n in range(3)
    ]
    (folder.evaluation / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
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
