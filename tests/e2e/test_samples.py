"""Prompts that are answered while it trains: each round is in the run's folder, and the training does not notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.training.run import main
from tests.e2e.test_resume import logged
from tests.kit.training_runs import events, lines, make_run, work
from tests.kit.warm.process import WarmPython

_RUN: dict[str, Any] = {
    "lora__dropout": 0.1,
    "training__max_steps": 8,
    "training__eval_every": 4.0,
    "training__save_every": 0.0,
    "evaluation__after_training": False,
}
_ASKED: dict[str, Any] = {"samples__every": 3.0, "samples__number": 2, "samples__prompts": ("Who are you?",)}


def _run(warm: WarmPython, parent: Path, **changes: Any) -> JobFolder:
    folder = make_run(parent, **{**_RUN, **changes})
    ended = work(warm, "core.training", folder.path)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"model__quantization": "nf4", "training__eval_every": 0.0}, marks=pytest.mark.slow),
        pytest.param({"method": "full", "training__activation_checkpointing": True}, marks=pytest.mark.slow),
    ],
    ids=["lora", "nf4", "full"],
)
def test_losses_are_the_same_with_and_without_samples(
    warm_python: WarmPython, tmp_path: Path, changes: dict[str, Any]
) -> None:
    silent = _run(warm_python, tmp_path, **changes)
    asked = _run(warm_python, tmp_path, **_ASKED, **changes)
    assert not silent.samples.exists()
    assert logged(asked) == logged(silent)
    assert len(logged(silent)) >= _RUN["training__max_steps"]
    assert not events(asked, "alert")

    rounds = lines(asked.samples)
    assert [line["step"] for line in rounds] == [0, 3, 6, 8]
    held_out = [line["sample"]["messages"] for line in lines(asked.data / "eval.jsonl")][:2]
    for line in rounds:
        own, *others = line["samples"]
        assert own["messages"] == [{"role": "user", "content": "Who are you?"}]
        assert own["reference"] == ""
        assert [one["messages"] for one in others] == [turns[:-1] for turns in held_out]
        assert [one["reference"] for one in others] == [turns[-1]["content"] for turns in held_out]
        assert all(one["tokens"] <= 64 and isinstance(one["answer"], str) for one in line["samples"])
    assert [one["answer"] for one in rounds[0]["samples"]] != [one["answer"] for one in rounds[-1]["samples"]]


@pytest.mark.slow
def test_prompts_that_cannot_be_answered_end_the_samples_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("this model cannot\ngenerate")

    monkeypatch.setattr("core.training.sampling.generate", broken)
    folder = make_run(tmp_path, **{**_RUN, **_ASKED, "training__max_steps": 4})
    assert main([str(folder.path)]) == 0
    (reported,) = events(folder, "alert")
    assert "this model cannot). Training continues" in reported["message"]
    assert not folder.samples.exists()
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert json.loads(folder.status.read_text())["phase"] == "done"
