"""DPO runs are those of plain `trl.DPOTrainer`, to the last bit, also after a stop and a resume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.paths import ROOT
from core.recipe.recipe import from_json
from core.runs.commands import training_command
from core.runs.resume import plan_resume, resume_run
from core.runs.scores import read_comparison
from tests.e2e.test_ranks import begin
from tests.e2e.test_sharded import begin_sharded
from tests.kit import plain_dpo
from tests.kit.training_runs import BASE, events, lines, make_run, pair, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

_VARIES = ("t", "tokens_per_second", "eta_seconds", "weights_changed")  # TRL logs none of them
_LONG = 50
"""The number of a pair whose prompt alone fills the max length."""


def _pairs(numbers: range) -> list[dict[str, Any]]:
    samples = [pair(number) for number in numbers]
    for number, sample in zip(numbers, samples, strict=True):
        if number in (3, _LONG):
            sample["messages"][0]["content"] *= 2 if number == 3 else 8
    return samples


def _run(parent: Path, steps: int, **changes: Any) -> JobFolder:
    return make_run(
        parent,
        [*_pairs(range(26)), *_pairs(range(_LONG, _LONG + 1))],
        _pairs(range(60, 68)),
        **{
            "task": "dpo",
            "dpo__beta": 0.2,
            "data__max_length": 64,
            "lora__alpha": 16.0,
            "training__learning_rate": 1e-3,
            "training__batch_size": 2,
            "training__gradient_accumulation": 2,
            "training__max_steps": steps,
            "training__warmup": 0.1,
            "training__eval_every": 3.0,
            "training__save_every": 0.0,
            "training__seed": 7,
            "evaluation__after_training": False,
            **changes,
        },
    )


def _logged(found: list[dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    """Lines of metrics without what is measured in time; of those that were written twice the last."""
    kept: dict[tuple[int, str], dict[str, Any]] = {}
    for line in found:
        kind = next((name for name in ("loss", "eval_loss") if name in line), "")
        if kind:
            facts = {
                key: value
                for key, value in line.items()
                if key not in _VARIES and not key.endswith(("runtime", "per_second"))
            }
            kept[(line["step"], kind)] = facts
    return kept


def _assert_equal(folder: JobFolder, plain: dict[str, Any], steps: int) -> None:
    ours, theirs = _logged(lines(folder.metrics)), _logged(plain["logged"])
    assert [step for step, kind in theirs if kind == "loss"] == list(range(1, steps + 1))
    assert [step for step, kind in theirs if kind == "eval_loss"] == sorted({*range(0, steps, 3), steps})
    assert {"rewards/accuracies", "rewards/margins", "grad_norm"} <= theirs[(1, "loss")].keys()
    assert "eval_rewards/accuracies" in theirs[(0, "eval_loss")]
    assert ours == theirs
    losses = [line["loss"] for (_, kind), line in theirs.items() if kind == "loss"]
    assert losses[-1] < losses[2] < losses[0], "the model learns"


def _end(folder: JobFolder, state: str) -> None:
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == state, folder.log.read_text()[-3000:]


def _disturbed(folder: JobFolder, step: int, by: str) -> None:
    launch(
        folder,
        [worker_command("tests.kit.disturbed_training", folder)],
        env={"DISTURB_AT": str(step), "DISTURB_BY": by},
    )


def test_losses_and_rewards_equal_plain_dpo_after_a_stop_and_a_resume(warm: WarmPython, tmp_path: Path) -> None:
    folder, out = _run(tmp_path, 6), tmp_path / "plain.json"
    _disturbed(folder, 3, "stop")
    _end(folder, "stopped")
    plan = plan_resume(folder)
    assert plan.step == 3
    assert (folder.adapter / "adapter_model.safetensors").exists()
    resume_run(folder, plan)
    theirs = work(warm, "tests.kit.plain_dpo", folder.data, BASE, out, 6, "lora")
    assert theirs.returncode == 0, theirs.stderr
    _end(folder, "finished")
    plain = json.loads(out.read_text())
    _assert_equal(folder, plain, 6)
    (data,) = events(folder, "data")[-1:]
    assert data["samples"] == len(plain["tokens"]) == 26, "TRL drops the pair whose prompt fills the max length, too"
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert len(comparison.answers) == 4
    measured = plain["logged"][-2]  # the last evaluation; behind it is the summary of the training
    assert comparison.reward_accuracy == measured["eval_rewards/accuracies"]
    assert comparison.reward_margin == pytest.approx(measured["eval_rewards/margins"], rel=1e-3)
    assert "8 held-out pairs" in comparison.reward_words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        pytest.param("lora", {}, id="lora"),
        pytest.param("full", {"method": "full"}, id="full, with a reference model beside it"),
    ],
)
def test_twenty_steps_of_fresh_processes_equal_plain_dpo_after_a_stop_in_the_middle(
    tmp_path: Path, method: str, changes: dict[str, Any]
) -> None:
    folder, out = _run(tmp_path, 20, **changes), tmp_path / "plain.json"
    begin = "import sys; from tests.kit.disturbed_training import main; sys.exit(main(sys.argv[1:]))"
    launch(
        folder,
        [[sys.executable, "-c", begin, str(folder.path)]],
        env={"DISTURB_AT": "10", "DISTURB_BY": "stop", "PYTHONPATH": str(ROOT)},
    )
    _end(folder, "stopped")
    resume_run(folder, plan_resume(folder))
    _end(folder, "finished")
    theirs = subprocess.run(
        [sys.executable, plain_dpo.__file__, str(folder.data), str(BASE), str(out), "20", method],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert theirs.returncode == 0, theirs.stderr[-3000:]
    _assert_equal(folder, json.loads(out.read_text()), 20)


@pytest.mark.slow
def test_a_quantized_base_is_resumed_to_the_same_bits(warm: WarmPython, tmp_path: Path) -> None:
    folder, whole = (_run(tmp_path / name, 6, model__quantization="nf4") for name in ("stopped", "whole"))
    _disturbed(folder, 3, "stop")
    _end(folder, "stopped")
    resume_run(folder, plan_resume(folder))
    launch(whole, [worker_command("core.training", whole)])
    _end(folder, "finished")
    _end(whole, "finished")
    assert len(_logged(lines(whole.metrics))) == 9
    assert _logged(lines(folder.metrics)) == _logged(lines(whole.metrics))


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
@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_ranks_train_on_pairs_and_resume(warm: WarmPython, tmp_path: Path, method: str) -> None:
    changes = {"training__devices": "cpux2", "training__batch_size": 1, "method": method}
    folder, whole = _run(tmp_path, 6, **changes), _run(tmp_path / "whole", 6, **changes)
    begin(whole)
    _end(whole, "finished")
    command = training_command(from_json(folder.read_job()["payload"]["recipe"]), folder)
    command[-2] = "tests.kit.disturbed_training"
    launch(folder, [command], env={"DISTURB_AT": "3", "DISTURB_BY": "stop"})
    _end(folder, "stopped")
    resume_run(folder, plan_resume(folder))
    _end(folder, "finished")
    assert _logged(lines(folder.metrics)) == _logged(lines(whole.metrics))
    (reported,) = events(whole, "ranks")
    assert reported["world_size"] == 2


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
