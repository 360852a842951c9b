"""Runs on models of other kinds than the sample base: a mixture of experts, and weights that are stored in 8 bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.recipe.memory import trained_parameters
from core.recipe.model_shape import read_shape
from core.recipe.recipe import from_json
from tests.e2e.test_resume import go_on, logged, run_to_end
from tests.kit.training_runs import events, lines, make_run, work
from tests.kit.warm.process import WarmPython

_SHORT: dict[str, Any] = {
    "training__max_steps": 4,
    "training__eval_every": 4.0,
    "evaluation__prompts": 2,
    "evaluation__max_new_tokens": 4,
}


@pytest.fixture(scope="module")
def experts(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny mixture of experts that reports its routers' loss."""
    folder = tmp_path_factory.mktemp("experts") / "model"
    done = work(warm_python, "tests.kit.tiny_family", folder, "qwen3_moe")
    assert done.returncode == 0, done.stderr
    return folder


def _trained(warm: WarmPython, folder: JobFolder) -> dict[str, Any]:
    for stage in ("core.training", "core.evaluation"):
        done = work(warm, stage, folder.path)
        assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder.evaluation / "summary.json").read_text())
    return found


@pytest.mark.parametrize("packing", ["bfd", pytest.param("none", marks=pytest.mark.slow)])
def test_the_comparison_has_the_trainers_eval_loss_with_routers_and_packing(
    warm_python: WarmPython, experts: Path, tmp_path: Path, packing: str
) -> None:
    changes = {**_SHORT, "model__path": str(experts), "lora__dropout": 0.0, "data__packing": packing}
    folder = make_run(tmp_path, **changes, samples__every=2.0)
    summary = _trained(warm_python, folder)
    measured = [line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line]
    assert summary["base_loss"] == pytest.approx(measured[0], abs=1e-5)
    assert summary["tuned_loss"] == pytest.approx(measured[-1], abs=1e-5)
    assert measured[-1] < measured[0]
    assert summary["eval_samples"] == 6
    (told,) = events(folder, "model")
    shape = read_shape(str(experts))
    assert told["trained_parameters"] == trained_parameters(from_json(folder.read_job()["payload"]["recipe"]), shape)
    assert told["adapted_experts"] == 2 * shape.layers
    assert told["expert_parameters"] == shape.expert_parameters > 0
    adapter = json.loads((folder.adapter / "adapter_config.json").read_text())
    assert set(adapter["target_modules"]) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert set(adapter["target_parameters"]) == {"gate_up_proj", "down_proj"}


def test_dropout_over_experts_ends_the_run_before_its_model_is_loaded(
    warm_python: WarmPython, experts: Path, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, model__path=str(experts), lora__dropout=0.05)
    assert work(warm_python, "core.training", folder.path).returncode == 2
    message = folder.read_status().message
    assert "lora.dropout" in message
    assert "dropout to 0" in message
    assert events(folder, "model") == []


@pytest.mark.slow
def test_weights_stored_in_8_bits_are_resumed_to_the_same_bits(
    warm: WarmPython, warm_python: WarmPython, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    assert work(warm_python, "tests.kit.stored_quantized", base, "int8").returncode == 0
    changes: dict[str, Any] = {**_SHORT, "model__path": str(base), "training__eval_every": 3.0}
    whole = run_to_end(make_run(tmp_path / "whole", **changes))
    assert whole.read_status().state == "finished", whole.log.read_text()[-2000:]
    folder = make_run(tmp_path / "killed", **changes, training__save_every=2.0)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="3", DISTURB_BY="kill")
    go_on(folder)
    assert len(logged(whole)) == 4 + 3
    assert logged(folder) == logged(whole)
    (told,) = events(whole, "model")
    assert told["quantized_parameters"] == sum(one.inputs * one.outputs for one in read_shape(str(base)).linear)
