"""Distillation as a run: a request in the middle of a generation, and the comparison with the teacher afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.runs.resume import plan_resume, resume_run
from core.runs.scores import read_comparison
from tests.e2e.test_dpo import _end
from tests.kit.parity.case import CHANGES
from tests.kit.training_runs import events, lines, make_run, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


def _run(warm: WarmPython, tmp_path: Path, **changes: Any) -> JobFolder:
    teacher = tmp_path / "teacher"
    if not teacher.exists():
        assert work(warm, "tests.kit.tiny_teacher", teacher).returncode == 0
    return make_run(
        tmp_path / "runs",
        [talk(number) for number in range(10)],
        [talk(number) for number in range(20, 23)],
        **{
            **CHANGES,
            "task": "distill",
            "distill__teacher": str(teacher),
            "training__max_steps": 3,
            "training__eval_every": 0.0,
            **changes,
        },
    )


@pytest.mark.slow
def test_a_stop_in_the_middle_of_a_generation_is_answered_there_and_the_run_resumes(
    warm: WarmPython, tmp_path: Path
) -> None:
    folder = _run(warm, tmp_path, distill__max_completion_length=900, training__save_every=1.0)
    launch(folder, [worker_command("core.training", folder)])

    def generates() -> bool:
        status = folder.read_status()
        return status.step == 1 and status.fields.get("activity") == "generating"

    until(lambda: generates() or standing(folder).over, "the second step generates", 300)
    requests.ask(folder, requests.STOP)
    _end(folder, "stopped")
    assert [line["step"] for line in lines(folder.metrics) if "loss" in line] == [1], "the second step was abandoned"
    plan = plan_resume(folder)
    assert plan.step == 1
    resume_run(folder, plan)
    _end(folder, "finished")
    assert [line["step"] for line in lines(folder.metrics) if "loss" in line] == [1, 2, 3]


@pytest.mark.slow
def test_base_and_tuned_model_are_compared_with_a_quantized_teacher(warm: WarmPython, tmp_path: Path) -> None:
    folder = _run(
        warm,
        tmp_path,
        distill__max_completion_length=16,
        distill__teacher_quantization="nf4",
        training__learning_rate=5e-3,
        training__max_steps=8,
    )
    for module in ("core.training", "core.evaluation"):
        done = work(warm, module, folder.path)
        assert done.returncode == 0, done.stderr[-2000:]
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert "Divergence from the teacher" in events(folder, "comparison")[-1]["message"]
    facts = events(folder, "comparison")[-1]
    assert facts["tuned_divergence"] < facts["base_divergence"]
