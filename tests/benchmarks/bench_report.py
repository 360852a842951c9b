"""What the training worker's reporting costs: one step of a run with every step logged, against a step of 25 ms."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from core.jobs import requests
from core.jobs.folder import JobFolder
from tests.benchmarks.table import Row

STEPS = 4_000
STEP_SECONDS = 0.025
LOGS = {
    "loss": 1.2345678,
    "grad_norm": 0.4567,
    "learning_rate": 1.6e-4,
    "entropy": 1.8,
    "mean_token_accuracy": 0.71,
    "num_tokens": 123_456.0,
    "epoch": 0.41,
}


def run() -> list[Row]:
    """Call the callback as the trainer does, `STEPS` times, at the pace that it finds; its clocks are the real ones."""
    from transformers import TrainerControl, TrainerState

    from core.engine.worker import Worker
    from core.training.report import Reporter

    with tempfile.TemporaryDirectory() as name:
        folder = JobFolder.create(Path(name), "bench", "training")
        reporter = Reporter(Worker(folder))
        state = TrainerState(max_steps=STEPS, global_step=0)
        state.is_world_process_zero = True
        arguments = SimpleNamespace(eval_on_start=False, eval_strategy="no")
        control = TrainerControl()
        reporter.on_train_begin(arguments, state, control)
        begun, cpu = time.perf_counter(), time.process_time()
        for step in range(1, STEPS + 1):
            state.global_step = step
            reporter.on_step_end(arguments, state, control)
            reporter.on_log(arguments, state, control, logs=dict(LOGS))
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        # Called without pause, the writes that happen by the clock are rarer a step than in a run: add them in full.
        looks, states = _clocked(folder)
    per_step = wall / STEPS + looks * STEP_SECONDS / 0.2 + states * STEP_SECONDS / 1.0
    share = per_step / STEP_SECONDS
    note = f"{cpu / STEPS * 1e6:.0f} us of CPU a log event; status and requests by the clock are included"
    return [
        Row("reporting, one logged step", per_step * 1e6, "us", "a step of 25 ms", share, "< 0.01", share < 0.01, note)
    ]


def _clocked(folder: JobFolder) -> tuple[float, float]:
    """Seconds of one look at the requests, and of one write of the status."""
    begun = time.perf_counter()
    for _ in range(200):
        requests.pending(folder)
    looked = time.perf_counter()
    for step in range(200):
        folder.write_status(step=step, of=STEPS, message="")
    return (looked - begun) / 200, (time.perf_counter() - looked) / 200
