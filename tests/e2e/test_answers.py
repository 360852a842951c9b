"""KTO, ORPO, CPO and reward runs: broken numbers, short memory, a shared model, a 4-bit base, and other data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.e2e.test_ranks import begin
from tests.e2e.test_sharded import begin_sharded
from tests.kit.parity.tasks.kto import rated
from tests.kit.training_runs import events, lines, make_run, pair, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

TASKS = ("kto", "orpo", "cpo", "reward")


def _run(parent: Path, task: str, samples: Sequence[dict[str, Any]] | None = None, **changes: Any) -> JobFolder:
    made = rated if task == "kto" else pair
    return make_run(
        parent,
        [made(number) for number in range(16)] if samples is None else samples,
        [made(number) for number in range(60, 64)],
        **{
            "task": task,
            "lora__dropout": 0.0,
            "training__learning_rate": 1e-3,
            "training__batch_size": 4,
            "training__max_steps": 4,
            "training__eval_every": 0.0,
            "training__save_every": 0.0,
            "samples__every": 0.25,  # a reward model answers none
            "evaluation__after_training": False,
            **changes,
        },
    )


def _end(folder: JobFolder, state: str) -> None:
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == state, folder.log.read_text()[-3000:]


def _disturbed(folder: JobFolder, **variables: str) -> None:
    launch(folder, [worker_command("tests.kit.disturbed_training", folder)], env=variables)


def _losses(folder: JobFolder) -> list[float]:
    return [line["loss"] for line in lines(folder.metrics) if "loss" in line]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_weight_that_is_not_finite_ends_the_run_in_that_step(warm: WarmPython, tmp_path: Path, task: str) -> None:
    folder = _run(tmp_path, task)
    _disturbed(folder, DISTURB_AT="2", DISTURB_BY="nan")
    _end(folder, "failed")
    assert lines(folder.metrics)[-1]["loss"] == "nan"
    assert "step 3" in standing(folder).detail
    assert not (folder.adapter / "adapter_model.safetensors").exists()


@pytest.mark.slow
def test_a_number_that_is_none_in_an_evaluation_ends_the_run(warm: WarmPython, tmp_path: Path) -> None:
    """TRL's ORPO trainer evaluates without `compute_loss`, which guards the others."""
    folder = _run(tmp_path, "orpo", training__eval_every=2.0)
    _disturbed(folder, DISTURB_AT="2", DISTURB_BY="nan")
    _end(folder, "failed")
    assert lines(folder.metrics)[-1]["eval_loss"] == "nan"


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_memory_that_is_short_halves_the_batch_as_far_as_the_task_can(
    warm: WarmPython, tmp_path: Path, task: str
) -> None:
    folder = _run(tmp_path, task, training__save_every=1.0)
    _disturbed(
        folder, DISTURB_AT="2", DISTURB_MEMORY="4" if task == "reward" else "2"
    )  # both answers are one batch there
    _end(folder, "finished")
    (reported,) = events(folder, "oom")
    assert (reported["batch_size"], reported["gradient_accumulation"]) == (2, 2)
    assert lines(folder.metrics)[-1]["step"] == 4
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert bool(list(folder.path.glob("samples*"))) == (task != "reward")


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_ranks_that_share_a_model_train_as_those_that_each_have_it(warm: WarmPython, tmp_path: Path, task: str) -> None:
    changes = {"training__devices": "cpux2", "training__batch_size": 2}
    shared, whole = (_run(tmp_path / name, task, **changes, training__parallel=name) for name in ("fsdp", "ddp"))
    begin_sharded(shared)
    begin(whole)
    _end(shared, "finished")
    _end(whole, "finished")
    assert _losses(shared) == pytest.approx(_losses(whole), rel=1e-3)
    assert work(warm, "core.evaluation", shared.path).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_base_in_four_bits_trains_with_checkpointing_and_is_measured(
    warm: WarmPython, tmp_path: Path, task: str
) -> None:
    changes = {"model__quantization": "nf4", "training__activation_checkpointing": True}
    folder = _run(tmp_path, task, **changes, training__max_steps=6, training__eval_every=3.0)
    launch(folder, [worker_command("core.training", folder)])
    _end(folder, "finished")
    losses = _losses(folder)
    assert len(set(losses)) > 3, "it trains"
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    (compared,) = events(folder, "comparison")
    assert compared["eval_samples"] == 4
    last = [line for line in lines(folder.metrics) if "eval_loss" in line][-1]
    if "eval_rewards/accuracies" in last or "eval_accuracy" in last:
        assert compared["reward_accuracy"] == last.get("eval_rewards/accuracies", last.get("eval_accuracy"))


@pytest.mark.parametrize("task", ["kto", "reward"])
def test_data_that_a_task_cannot_learn_from_ends_a_run_in_a_sentence(
    warm: WarmPython, tmp_path: Path, task: str
) -> None:
    folder = _run(tmp_path, task, [talk(number) for number in range(4)])
    launch(folder, [worker_command("core.training", folder)])
    _end(folder, "failed")
    assert ("no rating" if task == "kto" else "needs a chosen and a rejected answer") in standing(folder).detail


@pytest.mark.slow
def test_a_reward_model_starts_from_an_sft_run_and_is_trained_further(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    talks = [talk(number) for number in range(8)]
    sft = _run(tmp_path / "runs", "sft", talks, training__max_steps=2)
    first = _run(tmp_path / "runs", "reward", starts_from=sft.id, starts_how="merge")
    further = _run(tmp_path / "runs", "reward", starts_from=first.id, training__learning_rate=0.0001)
    for folder in (sft, first, further):
        launch(folder, [worker_command("core.training", folder)])
        _end(folder, "finished")
    assert (first.path / "base" / "config.json").exists()
    assert "LlamaForCausalLM" in json.loads((first.path / "base" / "config.json").read_text())["architectures"]
    assert _losses(further)[0] < _losses(first)[0], "its head is that of the first"
