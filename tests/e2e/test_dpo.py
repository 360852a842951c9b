"""DPO runs under trouble, and on ranks that share a model; `test_parity` compares them with plain `trl.DPOTrainer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.runs.resume import plan_resume, resume_run
from tests.e2e.test_ranks import begin
from tests.e2e.test_sharded import begin_sharded
from tests.kit.parity.case import CHANGES, all_cases
from tests.kit.parity.run import logged
from tests.kit.training_runs import events, lines, make_run
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


def _run(parent: Path, steps: int, **changes: Any) -> JobFolder:
    case = all_cases()["dpo"]
    return make_run(
        parent, case.train, case.held_out, **{**CHANGES, **case.changes, "training__max_steps": steps, **changes}
    )


def _end(folder: JobFolder, state: str) -> None:
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == state, folder.log.read_text()[-3000:]


def _disturbed(folder: JobFolder, step: int, by: str) -> None:
    launch(
        folder,
        [worker_command("tests.kit.disturbed_training", folder)],
        env={"DISTURB_AT": str(step), "DISTURB_BY": by},
    )


@pytest.mark.slow
def test_a_quantized_base_is_resumed_to_the_same_bits(warm: WarmPython, tmp_path: Path) -> None:
    folder, whole = (_run(tmp_path / name, 6, model__quantization="nf4") for name in ("stopped", "whole"))
    _disturbed(folder, 3, "stop")
    _end(folder, "stopped")
    resume_run(folder, plan_resume(folder))
    launch(whole, [worker_command("core.training", whole)])
    _end(folder, "finished")
    _end(whole, "finished")
    assert len(logged(lines(whole.metrics))) == 9
    assert logged(lines(folder.metrics)) == logged(lines(whole.metrics))


def test_a_weight_that_is_not_finite_ends_the_run_and_short_memory_does_not(warm: WarmPython, tmp_path: Path) -> None:
    broken = _run(tmp_path / "broken", 4, training__eval_every=0.0)
    _disturbed(broken, 2, "nan")
    _end(broken, "failed")
    assert lines(broken.metrics)[-1]["loss"] == "nan"
    assert "step 3" in standing(broken).detail
    short = _run(tmp_path / "short", 4, training__eval_every=0.0, training__save_every=1.0)
    launch(
        short,
        [worker_command("tests.kit.disturbed_training", short)],
        env={"DISTURB_AT": "2", "DISTURB_MEMORY": "2"},
    )
    _end(short, "finished")
    (reported,) = events(short, "oom")
    assert (reported["batch_size"], reported["gradient_accumulation"]) == (1, 4)
    assert lines(short.metrics)[-1]["step"] == 4


def test_data_without_pairs_ends_a_run_in_a_sentence(warm: WarmPython, tmp_path: Path) -> None:
    folder = _run(tmp_path, 2)
    (folder.data / "train.jsonl").write_text((make_run(tmp_path / "talks").data / "train.jsonl").read_text())
    launch(folder, [worker_command("core.training", folder)])
    _end(folder, "failed")
    assert "needs a chosen and a rejected answer" in standing(folder).detail


@pytest.mark.slow
def test_ranks_that_share_a_model_train_on_pairs_as_those_that_each_have_it(warm: WarmPython, tmp_path: Path) -> None:
    changes = {"training__devices": "cpux2", "training__batch_size": 1}
    shared = _run(tmp_path, 4, **changes, training__parallel="fsdp")
    begin_sharded(shared)
    whole = _run(tmp_path / "whole", 4, **changes)
    begin(whole)
    _end(shared, "finished")
    _end(whole, "finished")
    ours, theirs = ([line["loss"] for line in lines(each.metrics) if "loss" in line] for each in (shared, whole))
    assert ours == pytest.approx(theirs, rel=1e-3)
