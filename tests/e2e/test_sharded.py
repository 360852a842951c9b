"""FSDP with two gloo ranks on the CPU: it trains as DDP does, saves what loads without us, stops, and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.recipe.recipe import from_json
from core.runs.commands import training_command
from core.runs.resume import plan_resume, resume_run
from tests.e2e.test_ranks import TWO, begin, ended, losses, steps
from tests.kit.training_runs import BASE, events, make_run, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

pytestmark = pytest.mark.slow

SHARDED: dict[str, Any] = {**TWO, "training__parallel": "fsdp", "training__max_steps": 8}


def _command(folder: JobFolder) -> list[str]:
    command = training_command(from_json(folder.read_job()["payload"]["recipe"]), folder)
    command[-2] = "tests.kit.sharded_training"
    return command


def begin_sharded(folder: JobFolder, **variables: str) -> JobFolder:
    launch(folder, [_command(folder)], env=variables)
    return folder


def go_on_sharded(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.commands.stages_of", lambda *_: [_command(folder)])
    resume_run(folder, plan_resume(folder))


def _weights(folder: JobFolder) -> dict[str, Any]:
    from safetensors.numpy import load_file

    adapter = folder.adapter / "adapter_model.safetensors"
    return dict(load_file(adapter if adapter.exists() else folder.path / "model" / "model.safetensors"))


def test_a_model_that_two_ranks_share_trains_as_one_that_each_has(warm: WarmPython, tmp_path: Path) -> None:
    changes = {**SHARDED, "lora__dropout": 0.0, "training__eval_every": 4.0}
    folder = begin_sharded(make_run(tmp_path, **changes))
    whole = begin(make_run(tmp_path / "whole", **{**changes, "training__parallel": "ddp"}))
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    assert ended(whole) == "finished"
    (reported,) = events(folder, "ranks")
    assert (reported["world_size"], reported["distributed_type"]) == (2, "FSDP")
    assert losses(folder) == pytest.approx(losses(whole), rel=1e-4)
    shared, alone = _weights(folder), _weights(whole)
    assert shared.keys() == alone.keys()
    for name, value in shared.items():
        assert value.shape == alone[name].shape
        assert abs(value - alone[name]).max() < 1e-3, name
    out = tmp_path / "answers.json"
    assert work(warm, "tests.kit.adapter_alone", BASE, folder.adapter, out).returncode == 0
    answers = json.loads(out.read_text())
    assert answers["tuned"] != answers["base"]


def test_layers_that_are_computed_a_second_time_drop_the_same(warm: WarmPython, tmp_path: Path) -> None:
    """Else the gradient would be that of another model than the loss."""
    kept, again = (
        begin_sharded(
            make_run(
                tmp_path / str(anew), **{**SHARDED, "lora__dropout": 0.3, "training__activation_checkpointing": anew}
            )
        )
        for anew in (False, True)
    )
    assert ended(kept) == ended(again) == "finished", again.log.read_text()[-3000:]
    assert losses(again) == losses(kept)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_that_was_killed_goes_on_to_the_same_losses(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    changes = {
        **SHARDED,
        "method": method,
        "training__learning_rate": 1e-2 if method == "lora" else 1e-3,
        "training__eval_every": 4.0,
        "training__activation_checkpointing": True,
    }
    whole = begin_sharded(make_run(tmp_path / "whole", **changes))
    assert ended(whole) == "finished", whole.log.read_text()[-3000:]
    cut = make_run(tmp_path / "cut", **{**changes, "training__save_every": 3.0})
    begin_sharded(cut, DISTURB_AT="4", DISTURB_BY="kill")
    assert ended(cut) == "failed"
    assert plan_resume(cut).step == 3
    go_on_sharded(cut, monkeypatch)
    assert ended(cut) == "finished", cut.log.read_text()[-3000:]
    assert losses(cut) == losses(whole)
    found, expected = _weights(cut), _weights(whole)
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in expected.items()
    }


def test_it_pauses_saves_and_stops(warm: WarmPython, tmp_path: Path) -> None:
    folder = begin_sharded(make_run(tmp_path / "runs", **{**SHARDED, "training__max_steps": 50_000}))
    until(lambda: len(steps(folder)) > 3, "some steps are logged", 120)
    requests.ask(folder, requests.PAUSE)
    until(lambda: folder.read_status().state == "paused", "it holds")
    requests.ask(folder, requests.SAVE)
    until(lambda: events(folder, "checkpoint"), "it saves while it holds")
    requests.ask(folder, requests.STOP)
    assert ended(folder) == "stopped"
    assert plan_resume(folder).step == steps(folder)[-1]
    assert _weights(folder)
