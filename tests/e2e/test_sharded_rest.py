"""What a run does besides steps, under FSDP on two gloo ranks: it ends early, is short of memory, saves, goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs import requests
from tests.e2e.test_ranks import ended, losses, steps
from tests.e2e.test_ranks_agree import weights
from tests.e2e.test_sharded import SHARDED, begin_sharded, go_on_sharded
from tests.kit.training_runs import events, lines, make_run, talk
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

pytestmark = pytest.mark.slow


def _eval_losses(folder: Any) -> dict[int, float]:
    return {line["step"]: line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line}


def test_it_ends_early_with_the_best_weights(warm: WarmPython, tmp_path: Path) -> None:
    wrong = [talk(number, answer=f"Hello! No {number % 5} no no.") for number in range(24)]
    changes = {
        "training__learning_rate": 3e-2,
        "training__max_steps": 30,
        "training__eval_every": 2.0,
        "training__early_stopping": 2,
        "training__keep_best": True,
        "training__keep_checkpoints": 1,
        "training__save_every": 6.0,
        "samples__every": 4.0,
    }
    folder = begin_sharded(make_run(tmp_path, wrong, **{**SHARDED, **changes}))
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    found = {step: loss for step, loss in _eval_losses(folder).items() if step}
    best = min(found, key=lambda step: found[step])
    (reported,) = events(folder, "early_stop")
    assert (reported["step"], reported["best_step"]) == (best + 4, best)
    (summary,) = events(folder, "summary")
    assert (summary["saved_step"], summary["eval_loss"]) == (best, found[best])
    assert weights(folder.adapter) == weights(folder.checkpoints / f"checkpoint-{best}")


def test_memory_that_is_short_on_one_rank_starts_all_again(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, **{**SHARDED, "training__save_every": 3.0})
    begin_sharded(folder, DISTURB_AT="4", DISTURB_MEMORY="1", DISTURB_RANK="1")
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    (reported,) = events(folder, "oom")
    assert (reported["batch_size"], reported["gradient_accumulation"]) == (1, 2)
    assert [event["step"] for event in events(folder, "resume")] == [3]
    assert set(losses(folder)) == set(range(1, 9))


def test_a_checkpoint_within_a_step_changes_nothing_and_is_that_of_the_last_whole_one(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**SHARDED, "training__gradient_accumulation": 3, "training__batch_size": 1}
    whole = begin_sharded(make_run(tmp_path / "whole", **changes))
    cut = begin_sharded(make_run(tmp_path / "cut", **changes), DISTURB_AT="4", DISTURB_GATE="batch")
    until((cut.path / "reached").exists, "it is within a step", 60)
    requests.ask(cut, requests.SAVE)
    (cut.path / "open").touch()
    until(lambda: events(cut, "checkpoint"), "it saves")
    assert ended(cut) == ended(whole) == "finished", cut.log.read_text()[-3000:]
    assert [event["step"] for event in events(cut, "checkpoint")] == [4]
    assert losses(cut) == losses(whole)

    stopped = begin_sharded(make_run(tmp_path / "stopped", **changes), DISTURB_AT="4", DISTURB_GATE="batch")
    until((stopped.path / "reached").exists, "it is within a step", 60)
    requests.ask(stopped, requests.STOP)
    (stopped.path / "open").touch()
    assert ended(stopped) == "stopped"
    assert max(steps(stopped)) == 4
    go_on_sharded(stopped, monkeypatch)
    assert ended(stopped) == "finished", stopped.log.read_text()[-3000:]
    assert losses(stopped) == losses(whole)


def test_a_run_that_was_stopped_in_its_last_evaluation_makes_up_for_it(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        **SHARDED,
        "training__eval_every": 4.0,
        "training__keep_best": True,
        "training__activation_checkpointing": True,
        "samples__every": 4.0,
        "samples__number": 1,
    }
    whole = begin_sharded(make_run(tmp_path / "whole", **changes))
    cut = begin_sharded(make_run(tmp_path / "cut", **changes), DISTURB_AT="8", DISTURB_BY="stop")
    assert ended(cut) == "stopped"
    assert 8 not in _eval_losses(cut)
    go_on_sharded(cut, monkeypatch)
    assert ended(cut) == ended(whole) == "finished", cut.log.read_text()[-3000:]
    assert losses(cut) == losses(whole)
    assert _eval_losses(cut) == _eval_losses(whole)
    assert weights(cut.adapter) == weights(whole.adapter)
    assert lines(cut.samples)[-1]["samples"] == lines(whole.samples)[-1]["samples"]
