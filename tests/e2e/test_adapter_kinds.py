"""Adapters that no plain script knows, and others with a start of their own: run, saved, resumed, answering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.recipe.memory import trained_parameters
from core.recipe.model_shape import read_shape
from core.recipe.recipe import from_json
from core.runs.artifacts import limits_of, loading_code, read_adapter
from core.runs.resume import plan_resume, resume_run
from core.runs.scores import read_comparison
from tests.kit.parity.case import CHANGES
from tests.kit.parity.run import logged
from tests.kit.training_runs import BASE, events, lines, make_run, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


def begin(parent: Path, **changes: Any) -> JobFolder:
    chosen = {"training__max_steps": 4, "training__learning_rate": 1e-2, "evaluation__max_new_tokens": 8}
    return make_run(parent, **{**CHANGES, **chosen, **changes})


def trained(warm: WarmPython, folder: JobFolder) -> JobFolder:
    done = work(warm, "core.training", folder.path)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def with_a_stop(folder: JobFolder, at: int) -> JobFolder:
    from core.jobs.state import standing

    disturbed = worker_command("tests.kit.disturbed_training", folder)
    launch(folder, [list(disturbed)], env={"DISTURB_AT": str(at), "DISTURB_BY": "stop"})
    until(lambda: standing(folder).over, "the run stops", 300)
    resume_run(folder, plan_resume(folder))
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == "finished", folder.log.read_text()[-3000:]
    return folder


_LAYERS = {"method": "bottleneck", "adapter__width": 8, "adapter__activation": "relu"}


def test_adapter_layers_train_and_answer_and_are_said_to_go_nowhere_else(warm: WarmPython, tmp_path: Path) -> None:
    folder = trained(warm, begin(tmp_path, **_LAYERS))
    losses = [line["loss"] for line in lines(folder.metrics) if "loss" in line]
    assert losses[-1] < losses[0]
    recipe = from_json(folder.read_job()["payload"]["recipe"])
    counted = trained_parameters(recipe, read_shape(str(BASE)))
    assert events(folder, "model")[0]["trained_parameters"] == counted == 6 * (2 * 8 * 128 + 8 + 128)
    _answers_as_it_was_trained(warm, folder)
    adapter = read_adapter(folder.path)
    assert adapter is not None
    assert "cannot be merged" in limits_of(adapter)
    assert "bottleneck.register()" in loading_code(adapter)


@pytest.mark.slow
def test_adapter_layers_resume_to_the_same_bits(warm: WarmPython, tmp_path: Path) -> None:
    whole = trained(warm, begin(tmp_path / "whole", **_LAYERS))
    stopped = with_a_stop(begin(tmp_path / "stopped", **_LAYERS), 2)
    assert logged(lines(stopped.metrics)) == logged(lines(whole.metrics))


def _answers_as_it_was_trained(warm: WarmPython, folder: JobFolder) -> None:
    """What was saved is loaded, and measures what the last evaluation of the training measured."""
    done = work(warm, "core.evaluation", folder.path)
    assert done.returncode == 0, done.stderr[-3000:]
    comparison = read_comparison(folder.path)
    assert comparison is not None
    last = [line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line][-1]
    assert comparison.tuned_loss == pytest.approx(last, rel=1e-3)


def test_added_tokens_are_trained_saved_with_the_adapter_and_loaded_again(warm: WarmPython, tmp_path: Path) -> None:
    """The embedding of the tiny base has no room for them: it grows, here and wherever the adapter is loaded."""
    samples = [talk(number, f"<|desk|> Open page {number}. <|end of desk|>") for number in range(24)]
    chosen = {"model__added_tokens": ("<|desk|>", "<|end of desk|>"), "lora__trained_tokens": ("Open",)}
    folder = trained(warm, begin(tmp_path, train=samples, held_out=samples[:4], **chosen))
    assert (folder.adapter / "adapter_model.safetensors").stat().st_size < 1_000_000, "without the whole embedding"
    recipe = from_json(folder.read_job()["payload"]["recipe"])
    assert events(folder, "model")[0]["trained_parameters"] == trained_parameters(recipe, read_shape(str(BASE)))
    saved = json.loads((folder.adapter / "tokenizer.json").read_text())
    assert "<|desk|>" in {token["content"] for token in saved["added_tokens"]}
    _answers_as_it_was_trained(warm, folder)
    adapter = read_adapter(folder.path)
    assert adapter is not None
    assert "resize_token_embeddings" in loading_code(adapter)


@pytest.mark.slow
def test_a_piece_of_the_base_model_is_given_back_when_pissa_is_saved(warm: WarmPython, tmp_path: Path) -> None:
    """An unconverted PiSSA adapter only fits a base model that is decomposed once more, the same way."""
    folder = trained(
        warm, begin(tmp_path, lora__init="pissa", lora__variant="rslora", evaluation__after_training=False)
    )
    saved = json.loads((folder.adapter / "adapter_config.json").read_text())
    assert (saved["r"], saved["init_lora_weights"]) == (16, True)
    assert (folder.path / "initial_adapter.safetensors").exists()
    _answers_as_it_was_trained(warm, folder)
