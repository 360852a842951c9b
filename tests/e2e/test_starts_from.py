"""A run that starts from another one: the weights, the reference of a preference task, and what is left without it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.runs.origin import base_of, started
from core.runs.resume import plan_resume, resume_run
from tests.e2e.test_dpo import _disturbed, _end, _run
from tests.kit.parity.run import logged
from tests.kit.training_runs import events, lines, make_run, work
from tests.kit.warm.process import WarmPython

_FEW: dict[str, Any] = {
    "training__max_steps": 3,
    "training__eval_every": 0.0,
    "training__save_every": 0.0,
    "lora__alpha": 16.0,
    "evaluation__after_training": False,
}


def _trained(warm: WarmPython, runs: Path, **changes: Any) -> JobFolder:
    folder = make_run(runs, **{**_FEW, **changes})
    done = work(warm, "core.training", folder.path)
    assert done.returncode == 0, done.stderr[-2000:]
    folder.write_status(state="finished", ended=time.time())
    return folder


def _first_evaluation(folder: JobFolder) -> dict[str, Any]:
    return next(line for line in lines(folder.metrics) if "eval_loss" in line)


@pytest.mark.slow
def test_a_run_is_resumed_to_the_same_bits_when_its_source_is_gone(warm: WarmPython, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    source = _trained(warm, runs)
    folder, whole = (_run(runs, 6, starts_from=source.id) for _ in range(2))
    launch(whole, [worker_command("core.training", whole)])
    _disturbed(folder, 3, "stop")
    for each, state in ((folder, "stopped"), (whole, "finished")):
        _end(each, state)
    shutil.rmtree(source.path)
    resume_run(folder, plan_resume(folder))
    _end(folder, "finished")
    assert logged(lines(folder.metrics)) == logged(lines(whole.metrics))
    assert f"Started from: {source.id}, step 3" in (folder.adapter / "README.md").read_text()
    assert [event["origin"] for event in events(folder, "start")] == [f"{source.id}, step 3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"starts_how": "merge", "lora__rank": 4}, id="a new adapter on the merged model"),
        pytest.param({"method": "full"}, id="every weight of the merged model"),
    ],
)
def test_what_is_merged_first_begins_with_the_same_answers(
    warm: WarmPython, tmp_path: Path, changes: dict[str, Any]
) -> None:
    runs = tmp_path / "runs"
    source = _trained(warm, runs)
    one = _run(runs, 3, starts_from=source.id)
    other = _run(runs, 3, starts_from=source.id, **changes)
    for folder in (one, other):
        launch(folder, [worker_command("core.training", folder)])
        _end(folder, "finished")
    first, second = _first_evaluation(one), _first_evaluation(other)
    assert second["eval_rewards/chosen"] == 0
    assert second["eval_logps/chosen"] == pytest.approx(first["eval_logps/chosen"], rel=1e-4)
    begun = started(other.path)
    assert begun is not None
    assert begun.merged
    assert base_of(other.path)
    assert work(warm, "core.evaluation", other.path).returncode == 0, "base and tuned model are found"


@pytest.mark.slow
def test_an_adapter_of_a_quantized_base_is_merged_into_what_it_was_trained_on(warm: WarmPython, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    source = _trained(warm, runs, model__quantization="nf4")
    same = _run(runs, 3, starts_from=source.id, model__quantization="nf4")
    merged = _run(runs, 3, starts_from=source.id, starts_how="merge")
    for folder in (same, merged):
        launch(folder, [worker_command("core.training", folder)])
        _end(folder, "finished")
    logps = [_first_evaluation(folder)["eval_logps/chosen"] for folder in (same, merged)]
    assert logps[0] == pytest.approx(logps[1], rel=0.02)


@pytest.mark.slow
def test_a_model_that_was_trained_whole_is_trained_further_or_gets_an_adapter(warm: WarmPython, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    source = _trained(warm, runs, method="full", training__learning_rate=1e-3)
    whole = _run(runs, 3, starts_from=source.id, method="full", training__learning_rate=1e-4)
    adapter = _run(runs, 3, starts_from=source.id, starts_how="merge")
    for folder in (whole, adapter):
        launch(folder, [worker_command("core.training", folder)])
        _end(folder, "finished")
        assert _first_evaluation(folder)["eval_rewards/chosen"] == 0
    logps = [_first_evaluation(folder)["eval_logps/chosen"] for folder in (whole, adapter)]
    assert logps[0] == pytest.approx(logps[1], rel=1e-4)
    assert json.loads((adapter.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == base_of(
        adapter.path
    )


@pytest.mark.slow
def test_two_ranks_start_from_an_adapter(warm: WarmPython, tmp_path: Path) -> None:
    from tests.e2e.test_ranks import begin

    runs = tmp_path / "runs"
    source = _trained(warm, runs)
    folder = _run(runs, 3, starts_from=source.id, training__devices="cpux2", training__batch_size=1)
    merged = _run(runs, 3, starts_from=source.id, starts_how="merge", training__devices="cpux2", training__batch_size=1)
    for each in (folder, merged):
        begin(each)
        _end(each, "finished")
        assert _first_evaluation(each)["eval_rewards/chosen"] == 0
