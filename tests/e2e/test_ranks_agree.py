"""Two gloo ranks decide alike: when a run ends early, which weights are the best; and they are as many as asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.recipe.recipe import from_json
from core.runs.commands import training_command
from tests.e2e.test_ranks import TWO, begin, ended, losses
from tests.kit.training_runs import events, lines, make_run, talk
from tests.kit.warm.process import WarmPython

_PATIENCE = 2


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return {name: value.tobytes() for name, value in load_file(folder / "adapter_model.safetensors").items()}


def test_ranks_end_early_together_with_the_best_weights_and_answered_prompts(warm: WarmPython, tmp_path: Path) -> None:
    """What is learned here is wrong for the held-out samples: their loss falls and then rises."""
    wrong = [talk(number, answer=f"Hello! No {number % 5} no no.") for number in range(24)]
    changes = {
        **TWO,
        "training__learning_rate": 3e-2,
        "training__max_steps": 30,
        "training__eval_every": 2.0,
        "training__early_stopping": _PATIENCE,
        "training__keep_best": True,
        "training__keep_checkpoints": 1,
        "training__save_every": 6.0,
        "samples__every": 4.0,
        "samples__number": 1,
        "samples__max_new_tokens": 8,
    }
    folder = begin(make_run(tmp_path, wrong, **changes))
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    found = {line["step"]: line["eval_loss"] for line in lines(folder.metrics) if "eval_loss" in line and line["step"]}
    best = min(found, key=lambda step: found[step])
    (reported,) = events(folder, "early_stop")
    assert (reported["step"], reported["best_step"]) == (best + 2 * _PATIENCE, best)
    assert max(losses(folder)) == reported["step"] < 30
    assert [process.from_json(one) for one in folder.read_status().fields["ranks"]] != []
    (summary,) = events(folder, "summary")
    assert (summary["saved_step"], summary["eval_loss"]) == (best, found[best])
    assert weights(folder.adapter) == weights(folder.checkpoints / f"checkpoint-{best}")
    rounds = lines(folder.samples)
    assert [line["step"] for line in rounds] == [*range(0, reported["step"], 4), *([reported["step"]])]
    assert all(len(line["samples"]) == 1 for line in rounds)
    assert not events(folder, "alert")


@pytest.mark.parametrize(
    ("changes", "ranks", "words"),
    [
        ({}, "1", "asks for 2 ranks on each machine as MULTI_CPU, but this run has 1 rank,"),
        ({"training__parallel": "fsdp"}, "2", "as FSDP, but this run has 2 ranks, 2 on this machine, as MULTI_CPU"),
    ],
    ids=["fewer ranks", "another way of sharing"],
)
def test_what_runs_is_held_against_the_recipe(
    warm: WarmPython, tmp_path: Path, changes: dict[str, Any], ranks: str, words: str
) -> None:
    """Accelerate falls back without a word: such a run would train with another batch, or not fit."""
    folder = make_run(tmp_path, **{**TWO, **changes, "training__max_steps": 4})
    command = training_command(from_json(folder.read_job()["payload"]["recipe"]), folder)
    command[command.index("core.engine.torchrun") + 1] = ranks
    launch(folder, [command])
    assert ended(folder) == "failed"
    assert words in folder.read_status().message
    assert losses(folder) == {}


def test_one_process_alone_does_not_train_what_was_meant_for_several(warm: WarmPython, tmp_path: Path) -> None:
    folder: JobFolder = make_run(tmp_path, **{**TWO, "training__max_steps": 4})
    command = training_command(from_json(folder.read_job()["payload"]["recipe"]), folder)
    launch(folder, [[command[0], *command[-3:]]])
    assert ended(folder) == "failed"
    assert "2 ranks were requested, but this process was started alone" in folder.read_status().message
