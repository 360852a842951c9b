"""More epochs after the end: with the optimizer's state it is the longer run, to the last bit; fresh it begins anew."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.runs.extend import MoreSteps, extend_run, plan_extend
from core.runs.origin import started
from tests.e2e.test_dpo import _end
from tests.kit.parity.run import logged
from tests.kit.training_runs import lines, make_run, work
from tests.kit.warm.process import WarmPython


def _trained(warm: WarmPython, runs: Path, epochs: float, **changes: Any) -> JobFolder:
    folder = make_run(
        runs,
        **{
            "training__max_steps": 0,
            "training__epochs": epochs,
            "training__batch_size": 16,
            "training__scheduler": "constant",
            "training__eval_every": 0.0,
            "training__save_every": 0.0,
            "evaluation__after_training": False,
            "lora__dropout": 0.1,
            **changes,
        },
    )
    done = work(warm, "core.training", folder.path)
    assert done.returncode == 0, done.stderr[-2000:]
    folder.write_status(state="finished", ended=time.time())
    return folder


def _losses(folder: JobFolder) -> dict[tuple[int, str], dict[str, Any]]:
    return logged([{**line, "epoch": 0} for line in lines(folder.metrics)])


@pytest.mark.slow
def test_more_epochs_are_those_of_a_run_that_was_longer_from_the_start(warm: WarmPython, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    short, long = (_trained(warm, runs, epochs, training__save_every=50.0) for epochs in (1.0, 2.0))
    plan = plan_extend(short, MoreSteps(epochs=1.0))
    assert "step 3" in plan.words
    assert "step 6" in plan.words
    more = extend_run(plan)
    shutil.rmtree(short.path)
    _end(more, "finished")
    assert [step for step, _ in _losses(more)] == [1, 2, 3, 4, 5, 6], "the curve is whole"
    assert _losses(more) == _losses(long)
    begun = started(more.path)
    assert begun is not None
    assert begun.extends == f"{short.id}, step 3"
    assert short.id in (more.adapter / "README.md").read_text()


@pytest.mark.slow
def test_the_rate_follows_the_longer_schedule_or_begins_anew(warm: WarmPython, tmp_path: Path) -> None:
    changes = {"training__scheduler": "linear", "training__warmup": 0.0, "training__save_every": 50.0}
    source = _trained(warm, tmp_path / "runs", 1.0, **changes)
    plan = plan_extend(source, MoreSteps(steps=3))
    assert "5e-3" in plan.words, "half of the rate, in the middle of the longer run"
    more = extend_run(plan)
    _end(more, "finished")
    rates = [line["learning_rate"] for line in lines(more.metrics) if "loss" in line]
    assert rates[3:] == pytest.approx([0.005, 0.01 * 2 / 6, 0.01 / 6])
    again = extend_run(plan_extend(more, MoreSteps(epochs=1.0)))
    _end(again, "finished")
    assert lines(again.metrics)[-1]["step"] == 9
    assert "with its optimizer state" in (again.adapter / "README.md").read_text()
