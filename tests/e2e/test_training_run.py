"""A run from its folder to an adapter that works, and every way in which it may end before that."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.runs.saved import read_weights, write_weights
from tests.kit.training_runs import BASE, events, lines, make_run, start, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


@pytest.fixture(scope="module")
def finished(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A run that has trained and compared."""
    folder = make_run(tmp_path_factory.mktemp("finished"), training__max_steps=40, training__save_every=10.0)
    for stage in ("core.training", "core.evaluation"):
        done = work(warm_python, stage, folder.path)
        assert done.returncode == 0, done.stderr
    return folder


def test_every_step_is_logged_with_its_pace_and_the_base_loss_before_the_first(finished: JobFolder) -> None:
    logged = lines(finished.metrics)
    assert logged[0]["step"] == 0
    assert logged[0]["eval_loss"] > 3
    steps = [line for line in logged if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 41))
    assert all(line["tokens_per_second"] > 0 for line in steps)
    assert steps[-1]["eta_seconds"] == 0 <= steps[5]["eta_seconds"]
    last_eval = [line for line in logged if "eval_loss" in line][-1]
    assert last_eval["step"] == 40
    assert last_eval["eval_loss"] < 1


def test_events_tell_phases_checkpoints_and_the_summary(finished: JobFolder) -> None:
    phases = [event["phase"] for event in events(finished, "phase")]
    assert phases[:5] == ["loading", "encoding", "loading", "evaluating", "training"]
    assert [event["step"] for event in events(finished, "checkpoint")] == [10, 20, 30, 40]
    assert sorted(path.name for path in finished.checkpoints.iterdir()) == ["checkpoint-30", "checkpoint-40"]
    (summary,) = events(finished, "summary")
    assert summary["steps"] == 40
    assert summary["peak_memory"] > 50e6
    assert events(finished, "alert") == []
    measured = lines(finished.path.parents[1] / ".tunedeck" / "measured.jsonl")
    (kept,) = [each for each in measured if each["run"] == finished.id]
    assert (kept["machine"], kept["peak"]) == ("CPU", summary["peak_memory"])
    assert 0 < kept["longest"] <= 128, "later forecasts of the model are corrected by this"


def test_adapter_works_with_peft_alone_and_changes_the_answer(
    finished: JobFolder, warm_python: WarmPython, tmp_path: Path
) -> None:
    found = {path.name for path in finished.adapter.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "README.md", "chat_template.jinja"} <= found
    assert not any(name.endswith((".bin", ".pt", ".pth")) for name in found)
    out = tmp_path / "answers.json"
    assert work(warm_python, "tests.kit.adapter_alone", BASE, finished.adapter, out).returncode == 0
    answers = json.loads(out.read_text())
    assert answers["tuned"].startswith("Hello! Open the ")
    assert not answers["base"].startswith("Hello!")


def test_all_that_a_run_saves_can_be_read_by_whoever_the_umask_lets(finished: JobFolder) -> None:
    (finished.path / "plain").touch()
    mode = (finished.path / "plain").stat().st_mode
    saved = [path for path in (*finished.adapter.rglob("*"), *finished.checkpoints.rglob("*")) if path.is_file()]
    assert sum(path.suffix == ".safetensors" for path in saved) == 3, "the adapter's and two checkpoints'"
    assert {path.name: path.stat().st_mode for path in saved if path.stat().st_mode != mode} == {}


def test_comparison_has_the_trainers_losses_and_both_answers(finished: JobFolder) -> None:
    summary = json.loads((finished.evaluation / "summary.json").read_text())
    logged = [line["eval_loss"] for line in lines(finished.metrics) if "eval_loss" in line]
    assert summary["base_loss"] == pytest.approx(logged[0], abs=1e-5)
    assert summary["tuned_loss"] == pytest.approx(logged[-1], abs=1e-5)
    assert summary["tuned_loss"] < summary["base_loss"]
    assert summary["eval_samples"] == 6
    assert summary["adapter_step"] == 40
    answers = lines(finished.evaluation / "answers.jsonl")
    assert [answer["n"] for answer in answers] == [0, 1, 2, 3]
    assert all(answer["tuned"].startswith("Hello!") and not answer["base"].startswith("Hello!") for answer in answers)
    assert answers[0]["messages"] == talk(48)["messages"][:1]
    assert answers[0]["reference"] == talk(48)["messages"][1]["content"]
    assert summary["differs"] == 4


def test_an_adapter_that_changes_nothing_is_reported_so(
    finished: JobFolder, warm_python: WarmPython, tmp_path: Path
) -> None:
    folder = JobFolder(shutil.copytree(finished.path, tmp_path / "run"))
    folder.events.unlink()
    _edit_adapter(folder, lambda tensor: tensor * 0)
    assert work(warm_python, "core.evaluation", folder.path).returncode == 0
    sentences = [event["message"] for event in events(folder, "alert")]
    assert any("not better on held-out samples" in sentence for sentence in sentences)
    assert any("identical" in sentence for sentence in sentences)


def test_an_adapter_that_is_not_finite_fails(finished: JobFolder, warm_python: WarmPython, tmp_path: Path) -> None:
    folder = JobFolder(shutil.copytree(finished.path, tmp_path / "run"))
    _edit_adapter(folder, lambda tensor: tensor * float("nan"))
    assert work(warm_python, "core.evaluation", folder.path).returncode == 1
    status = folder.read_status()
    assert status.state == "failed"
    assert "not finite" in status.message


def _edit_adapter(folder: JobFolder, change: Callable[[Any], Any]) -> None:
    from safetensors.numpy import load_file, save_file

    file = folder.adapter / "adapter_model.safetensors"
    save_file({name: change(tensor) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    weights = read_weights(folder.adapter)
    assert weights is not None
    write_weights(folder.adapter, weights)  # sealed as it is now


def test_a_loss_that_becomes_nan_fails_in_that_step(warm_python: WarmPython, tmp_path: Path) -> None:
    base, word = _poisoned_base(tmp_path / "base")
    samples = [talk(number) for number in range(48)]
    samples[20]["messages"][0]["content"] += word
    folder = make_run(tmp_path, samples, model__path=str(base), training__max_steps=36, training__save_every=1.0)
    done = work(warm_python, "core.training", folder.path)
    assert done.returncode == 1
    logged = [line for line in lines(folder.metrics) if "loss" in line]
    step = logged[-1]["step"]
    assert logged[-1]["loss"] == "nan"
    assert [line["step"] for line in logged] == list(range(1, step + 1))
    assert step > 1
    status = folder.read_status()
    assert status.state == "failed"
    assert f"nan at step {step}" in status.message
    assert "learning rate" in status.message
    assert f"checkpoint-{step - 1}" in status.message
    assert (folder.checkpoints / f"checkpoint-{step - 1}" / "adapter_model.safetensors").exists()
    assert not folder.adapter.exists()


def test_weights_that_are_not_finite_are_not_saved_and_the_older_checkpoint_stays(
    warm_python: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loss tells: the weight is spoiled between the last step and its save."""
    monkeypatch.setenv("DISTURB_AT", "3")
    monkeypatch.setenv("DISTURB_BY", "nan")
    folder = make_run(tmp_path, training__max_steps=6, training__eval_every=0.0, training__save_every=1.0)
    assert work(warm_python, "tests.kit.disturbed_training", folder.path).returncode == 1
    logged = [float(line["loss"]) for line in lines(folder.metrics) if "loss" in line]
    assert len(logged) == 3
    assert all(map(math.isfinite, logged))
    status = folder.read_status()
    assert status.state == "failed"
    assert "The trained weights are not finite after step 3" in status.message
    assert "lora_" in status.message
    assert "checkpoint-2" in status.message
    assert sorted(path.name for path in folder.checkpoints.iterdir())[-1] == "checkpoint-2"
    assert (folder.checkpoints / "checkpoint-2" / "tunedeck.json").exists(), "it is whole"
    assert not folder.adapter.exists()


def _poisoned_base(folder: Path) -> tuple[Path, str]:
    """A base in which one rare token's embedding is infinite, and a word with that token."""
    import numpy as np
    from safetensors.numpy import load_file, save_file
    from tokenizers import Tokenizer

    shutil.copytree(BASE, folder)
    weights = load_file(folder / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    (token,) = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("§", add_special_tokens=False).ids[-1:]
    weights["lm_head.weight"] = embedding.copy()
    weights["model.embed_tokens.weight"] = embedding.copy()
    weights["model.embed_tokens.weight"][token] = np.inf
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    return folder, "§"


def test_a_run_without_a_trained_token_cannot_start(warm_python: WarmPython, tmp_path: Path) -> None:
    samples = [talk(number) for number in range(8)]
    for sample in samples:
        sample["messages"][1]["trained"] = False
    folder = make_run(tmp_path, samples)
    assert work(warm_python, "core.training", folder.path).returncode == 2
    assert "None of the 8 samples has a trained token" in folder.read_status().message
    assert lines(folder.metrics) == []


def test_rows_without_a_trained_token_are_excluded_and_named(warm_python: WarmPython, tmp_path: Path) -> None:
    samples = [talk(number) for number in range(12)]
    samples[3]["messages"][1]["trained"] = False
    samples[7]["messages"][0]["content"] *= 40
    folder = make_run(tmp_path, samples, training__max_steps=1)
    shared = tmp_path / "manifest.json"
    shared.write_text(json.dumps({"contributions": [{"path": "own", "samples": 8}, {"path": "mixed", "samples": 4}]}))
    os.link(shared, folder.data / "manifest.json")
    assert work(warm_python, "core.training", folder.path).returncode == 0
    alerts = events(folder, "alert")
    (flagged,) = [event for event in alerts if "without trained tokens" in event["message"]]
    assert flagged["count"] == 2
    assert flagged["rows"] == [3, 7]
    (cut,) = [event for event in alerts if "at max length" in event["message"]]
    assert cut["count"] == 1
    (data,) = events(folder, "data")
    assert data["samples"] == 10
    own, mixed = json.loads((folder.data / "manifest.json").read_text())["contributions"]
    assert (own["path"], own["trained_samples"], mixed["trained_samples"]) == ("own", 6, 4)
    assert own["tokens"] + mixed["tokens"] == data["tokens"]
    assert own["trained_tokens"] + mixed["trained_tokens"] == data["trained_tokens"]
    assert mixed["trained_tokens"] > 0
    assert "trained" not in shared.read_text(), "other runs share the view's manifest"


@pytest.mark.parametrize("by", ["request", "SIGTERM", "SIGINT"])
def test_stop_saves_checkpoint_and_adapter_and_exits_3(warm_python: WarmPython, tmp_path: Path, by: str) -> None:
    folder = make_run(tmp_path, training__max_steps=50_000, training__save_every=0.0)
    worker = start(warm_python, "core.training", folder)
    until(lambda: len(lines(folder.metrics)) > 3, "some steps are logged", 60)
    if by == "request":
        (folder.requests / "stop").write_text("{}")
    else:
        worker.send_signal(signal.Signals[by])
    assert worker.wait(timeout=60) == 3
    step = [line["step"] for line in lines(folder.metrics) if "loss" in line][-1]
    assert (folder.checkpoints / f"checkpoint-{step}" / "optimizer.pt").exists()
    assert (folder.adapter / "adapter_model.safetensors").exists()
    answers = [event["answer"] for event in events(folder, "request")]
    assert answers == ["received", "done"]
    assert f"Stopped on request at step {step} of 50,000" in folder.read_status().message
    assert requests.pending(folder) == ()


def test_a_checkpoint_on_request_does_not_end_the_run_and_stop_now_does(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, training__max_steps=50_000, training__save_every=0.0)
    worker = start(warm_python, "core.training", folder)
    until(lambda: len(lines(folder.metrics)) > 3, "some steps are logged", 60)
    (folder.requests / "save").write_text("{}")
    until(lambda: [e["answer"] for e in events(folder, "request")] == ["received", "done"], "the request is done", 60)
    (checkpoint,) = folder.checkpoints.glob("checkpoint-*")
    assert (checkpoint / "trainer_state.json").exists()
    seen = len(lines(folder.metrics))
    until(lambda: len(lines(folder.metrics)) > seen, "it goes on", 60)
    (folder.requests / "stop-now").write_text("{}")
    assert worker.wait(timeout=60) == 3
    assert not folder.adapter.exists()
    assert "Stopped immediately" in folder.read_status().message


def test_a_model_without_weights_is_reported_before_anything_is_loaded(warm_python: WarmPython, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(BASE, base)
    (base / "model.safetensors").unlink()
    folder = make_run(tmp_path, model__path=str(base))
    assert work(warm_python, "core.training", folder.path).returncode == 2
    status = folder.read_status()
    assert status.state == "failed"
    assert "no safetensors weights" in status.message
    assert str(base) in status.message


def test_a_model_that_is_trained_whole_is_saved_whole_and_compared(warm_python: WarmPython, tmp_path: Path) -> None:
    folder = make_run(
        tmp_path, method="full", training__learning_rate=1e-3, training__max_steps=6, evaluation__prompts=2
    )
    for stage in ("core.training", "core.evaluation"):
        assert work(warm_python, stage, folder.path).returncode == 0
    assert (folder.path / "model" / "model.safetensors").exists()
    summary = json.loads((folder.evaluation / "summary.json").read_text())
    assert summary["tuned_loss"] < summary["base_loss"]


def test_plain_text_is_trained_whole_and_packed(warm_python: WarmPython, tmp_path: Path) -> None:
    texts = [
        {"kind": "text", "text": f"The {number}th page of the manual says: press the key. " * 2} for number in range(40)
    ]
    folder = make_run(tmp_path, texts, texts[:4], data__packing="bfd", training__max_steps=3, evaluation__prompts=2)
    for stage in ("core.training", "core.evaluation"):
        assert work(warm_python, stage, folder.path).returncode == 0
    assert [line["step"] for line in lines(folder.metrics) if "loss" in line] == [1, 2, 3]
    assert len(lines(folder.evaluation / "answers.jsonl")) == 2


@pytest.mark.slow
def test_a_base_that_is_stored_quantized_is_trained_as_one_that_is_quantized_now(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    """Such a base could not be loaded at all."""
    base = tmp_path / "base"
    assert work(warm_python, "tests.kit.stored_quantized", base, "nf4").returncode == 0
    short: dict[str, Any] = {"training__max_steps": 3, "evaluation__prompts": 2, "evaluation__max_new_tokens": 8}
    stored = make_run(tmp_path / "stored", model__path=str(base), **short)
    fresh = make_run(tmp_path / "fresh", model__quantization="nf4", **short)
    for folder in (stored, fresh):
        for stage in ("core.training", "core.evaluation"):
            done = work(warm_python, stage, folder.path)
            assert done.returncode == 0, done.stderr
    losses = [[line["loss"] for line in lines(folder.metrics) if "loss" in line] for folder in (stored, fresh)]
    assert len(losses[0]) == 3
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    whole = make_run(tmp_path / "whole", model__path=str(base), method="full")
    assert work(warm_python, "core.training", whole.path).returncode == 2
    assert "A quantized model cannot be trained" in whole.read_status().message


def test_a_gpu_that_torch_does_not_reach_stops_the_run(warm_python: WarmPython, tmp_path: Path) -> None:
    """It was trained on the CPU, with exit 0."""
    folder = make_run(tmp_path, training__devices="77", training__max_steps=1)
    assert work(warm_python, "core.training", folder.path).returncode == 2
    status = folder.read_status()
    assert status.state == "failed"
    assert "cannot use GPU 77" in status.message
    assert "set training.devices to cpu" in status.message
    assert lines(folder.metrics) == []
