"""Prompts answered while two gloo ranks share the model out (FSDP): in lock step, and the training does not notice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process, requests
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.e2e.test_ranks import ended, losses, steps
from tests.e2e.test_sharded import SHARDED, begin_sharded
from tests.kit.training_runs import events, lines, make_run, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

pytestmark = pytest.mark.slow

_ASKED: dict[str, Any] = {
    "samples__every": 3.0,
    "samples__number": 2,
    "samples__prompts": ("Who are you?",),
    "samples__max_new_tokens": 24,
    "training__eval_batch_size": 2,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"training__activation_checkpointing": True, "training__save_every": 3.0},
        {"method": "full", "training__learning_rate": 1e-3, "training__keep_best": True},
    ],
    ids=["lora", "full"],
)
def test_losses_are_the_same_with_and_without_samples(
    warm: WarmPython, tmp_path: Path, changes: dict[str, Any]
) -> None:
    changes = {**SHARDED, "training__eval_every": 4.0, "training__eval_batch_size": 2, **changes}
    silent = begin_sharded(make_run(tmp_path / "silent", **changes))
    asked = begin_sharded(make_run(tmp_path / "asked", **{**changes, **_ASKED}))
    assert ended(silent) == ended(asked) == "finished", asked.log.read_text()[-3000:]
    assert losses(asked) == losses(silent)
    found, expected = (
        [line["eval_loss"] for line in lines(each.metrics) if "eval_loss" in line] for each in (asked, silent)
    )
    assert found == expected
    assert len(found) == 3
    assert not events(asked, "alert")

    alone = make_run(tmp_path / "alone", **{**changes, **_ASKED, "training__devices": "cpu", "training__max_steps": 1})
    assert work(warm, "core.training", alone.path).returncode == 0
    rounds = lines(asked.samples)
    assert [line["step"] for line in rounds] == [0, 3, 6, 8]
    assert rounds[0]["samples"] == lines(alone.samples)[0]["samples"], "the base model answers as on one device"
    assert rounds[0]["samples"] != rounds[-1]["samples"]
    assert [len(line["samples"]) for line in rounds] == [3] * 4


@pytest.mark.parametrize("name", [requests.PAUSE, requests.STOP])
def test_what_is_asked_between_two_tokens_is_done_at_once(warm: WarmPython, tmp_path: Path, name: str) -> None:
    endless = {"samples__max_new_tokens": 100_000, "data__max_length": 128}
    folder = make_run(tmp_path / "runs", **{**SHARDED, **_ASKED, **endless, "training__save_every": 0.0})
    begin_sharded(folder, NO_END="1")
    until(lambda: "Generating" in folder.read_status().message, "it answers", 60)
    requests.ask(folder, name)
    if name == requests.PAUSE:
        until(lambda: standing(folder).state == "paused", "it holds")
        requests.ask(folder, requests.STOP)
    assert ended(folder) == "stopped"
    assert steps(folder) == [1, 2, 3][: len(steps(folder))]


def test_one_process_hears_a_signal_between_two_tokens(warm: WarmPython, tmp_path: Path) -> None:
    changes = {**SHARDED, **_ASKED, "training__devices": "cpu", "samples__max_new_tokens": 100_000}
    folder = make_run(tmp_path / "runs", **changes)
    launch(folder, [worker_command("tests.kit.sharded_training", folder)], env={"NO_END": "1"})
    until(lambda: "Generating" in folder.read_status().message, "it answers", 60)
    worker = folder.read_status().worker
    assert worker is not None
    process.send(worker, signal.SIGTERM)
    assert ended(folder) == "stopped"


def test_a_rank_that_cannot_answer_costs_the_samples_and_not_the_run(warm: WarmPython, tmp_path: Path) -> None:
    changes = {**SHARDED, **_ASKED, "training__save_every": 2.0}
    folder = begin_sharded(make_run(tmp_path / "runs", **changes), FAILS_TO_ANSWER="1")
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    (reported,) = events(folder, "alert")
    assert "No more sample outputs" in reported["message"]
    assert [event["step"] for event in events(folder, "resume")] == [2]
    assert [line["step"] for line in lines(folder.samples)] == [0]
    assert set(losses(folder)) == set(range(1, 9))
    silent = begin_sharded(make_run(tmp_path / "silent", **SHARDED))
    assert ended(silent) == "finished"
    assert losses(folder) == losses(silent)
