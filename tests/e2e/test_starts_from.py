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
from tests.e2e.test_dpo import _assert_equal, _disturbed, _end, _run
from tests.kit.training_runs import BASE, events, lines, make_run, work
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


def test_dpo_from_an_adapter_compares_with_that_model_as_plain_trl_does_and_needs_the_source_no_more(
    warm: WarmPython, tmp_path: Path
) -> None:
    runs, out = tmp_path / "runs", tmp_path / "plain.json"
    source = _trained(warm, runs)
    folder = _run(runs, 6, starts_from=source.id)
    _disturbed(folder, 3, "stop")
    _end(folder, "stopped")
    theirs = work(warm, "tests.kit.plain_dpo", folder.data, BASE, out, 6, source.adapter)
    assert theirs.returncode == 0, theirs.stderr
    shutil.rmtree(source.path)
    resume_run(folder, plan_resume(folder))
    _end(folder, "finished")
    plain = json.loads(out.read_text())
    _assert_equal(folder, plain, 6)
    first = _first_evaluation(folder)
    assert first["eval_rewards/chosen"] == first["eval_rewards/rejected"] == 0, "policy and reference are one model"
    assert first["eval_logps/chosen"] == pytest.approx(plain["reference"], rel=1e-4), "which is the tuned one"
    assert plain["reference"] > plain["base"] + 10
    assert not (folder.adapter / "ref").exists()
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
