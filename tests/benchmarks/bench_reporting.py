"""What the worker's reporting costs a training step: every callback of one step, with its line of metrics."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.benchmarks.table import Row

STEPS = 2_000
STEP = 0.025
"""Seconds: the step that the cost is held against."""


def run() -> list[Row]:
    """Drives the real callback through steps that do nothing else."""
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from core.engine.worker import Worker
    from core.jobs.folder import JobFolder
    from core.training.report import Reporter

    with tempfile.TemporaryDirectory() as name:
        folder = JobFolder.create(Path(name), "reporting", "training")
        reporter = Reporter(Worker(folder))
        args = TrainingArguments(output_dir=name, use_cpu=True, report_to="none")
        state, control = TrainerState(max_steps=STEPS), TrainerControl()
        began = time.process_time()
        for step in range(1, STEPS + 1):
            state.global_step = step
            reporter.on_step_end(args, state, control)
            line = {"loss": 1.25, "grad_norm": 0.5, "learning_rate": 1e-4, "entropy": 1.5, "num_tokens": 512.0 * step}
            reporter.on_log(args, state, control, logs={**line, "mean_token_accuracy": 0.5, "epoch": step / 100})
        cost = (time.process_time() - began) / STEPS
        written = folder.metrics.read_bytes().count(b"\n")
    assert written == STEPS
    share = cost / STEP
    return [
        Row(
            "reporting, one step logged",
            cost * 1e6,
            "us",
            f"a step of {STEP * 1e3:.0f} ms",
            share,
            "<= 1% of the step",
            share <= 0.01,
            "CPU time; status once a second, requests five times a second",
        )
    ]
