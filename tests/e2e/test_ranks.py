"""Two gloo ranks on the CPU: they train together, agree on what viewers ask, and are gone when the run is over."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.process import Identity
from core.jobs.state import standing
from core.recipe.recipe import from_json
from core.runs.commands import training_command
from core.runs.resume import plan_resume, resume_run
from tests.kit.training_runs import events, lines, make_run
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

TWO: dict[str, Any] = {
    "training__devices": "cpux2",
    "training__batch_size": 2,
    "training__eval_every": 0.0,
    "training__save_every": 0.0,
    "lora__dropout": 0.1,
    "evaluation__after_training": False,
}


def begin(folder: JobFolder, **variables: str) -> JobFolder:
    """Starts the training as `start_run` does."""
    recipe = from_json(folder.read_job()["payload"]["recipe"])
    launch(folder, [training_command(recipe, folder)], env=variables)
    return folder


def ended(folder: JobFolder) -> str:
    """The state that a run has ended in; its log is shown where that is not one of its own choosing."""
    until(lambda: standing(folder).over, "the run ends", 120)
    return standing(folder).state


def steps(folder: JobFolder) -> list[int]:
    return [line["step"] for line in lines(folder.metrics) if "loss" in line]


def losses(folder: JobFolder) -> dict[int, float]:
    """The losses that stand: what was logged before a restart gives way to the later line."""
    return {line["step"]: line["loss"] for line in lines(folder.metrics) if "loss" in line}


def ranks(folder: JobFolder) -> list[Identity]:
    """Every rank of a run that goes on, by pid, start time and boot id."""
    found = [process.from_json(one) for one in folder.read_status().fields.get("ranks", ())]
    assert len(found) == 2
    assert all(process.is_alive(one) for one in found)
    return [one for one in found if one is not None]


def long_run(parent: Path) -> JobFolder:
    """A run of two ranks that has made some steps of very many."""
    folder = begin(make_run(parent / "runs", **{**TWO, "training__max_steps": 50_000}))
    until(lambda: len(steps(folder)) > 3 or standing(folder).over, "some steps are logged", 120)
    assert standing(folder).state == "running", folder.log.read_text()[-3000:]
    return folder


def test_two_ranks_train_together_and_say_what_runs(warm: WarmPython, tmp_path: Path) -> None:
    folder = begin(make_run(tmp_path, **{**TWO, "training__max_steps": 6, "training__eval_every": 3.0}))
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    assert steps(folder) == [1, 2, 3, 4, 5, 6]
    (event,) = events(folder, "ranks")
    assert event["message"] == "2 ranks run as MULTI_CPU over gloo: cpu, cpu."
    assert event["world_size"] == 2
    assert len({one["pid"] for one in event["ranks"]}) == 2
    assert [line["step"] for line in lines(folder.metrics) if "eval_loss" in line] == [0, 3, 6]
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert folder.read_status().fields["distributed_type"] == "MULTI_CPU"


def test_ranks_pause_save_and_stop_together_and_go_on_from_there(warm: WarmPython, tmp_path: Path) -> None:
    folder = long_run(tmp_path)
    both = ranks(folder)
    requests.ask(folder, requests.PAUSE)
    until(lambda: standing(folder).state == "paused", "it holds")
    held = steps(folder)[-1]
    assert "on 2 ranks." in folder.read_status().message
    requests.ask(folder, requests.SAVE)
    until(lambda: (folder.checkpoints / f"checkpoint-{held}" / "tunedeck.json").exists(), "it saves")
    requests.ask(folder, requests.RESUME)
    until(lambda: steps(folder)[-1] > held, "it goes on")
    requests.ask(folder, requests.STOP)
    assert ended(folder) == "stopped"
    assert not any(process.is_alive(one) for one in both)
    (last,) = events(folder, "ended")
    assert {one.pid for one in both} < {one["pid"] for one in last["processes"]}, "and torchrun's agent"
    assert all(one.to_json() in last["processes"] for one in both), "by start time and boot id, too"
    plan = plan_resume(folder)
    assert plan.checkpoint is not None
    assert len(plan.checkpoint.ranks) == 2
    assert {path.name for path in plan.checkpoint.path.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    resume_run(folder, plan)
    until(lambda: steps(folder)[-1] > plan.step + 2 or standing(folder).over, "it goes on", 60)
    assert steps(folder) == list(range(1, len(steps(folder)) + 1)), folder.log.read_text()[-3000:]
    both = ranks(folder)
    requests.ask(folder, requests.STOP_NOW)
    assert ended(folder) == "stopped"
    assert not any(process.is_alive(one) for one in both)


@pytest.mark.slow
def test_two_ranks_go_on_to_the_same_bits(warm: WarmPython, tmp_path: Path) -> None:
    changes = {**TWO, "training__max_steps": 12, "training__gradient_accumulation": 2, "training__log_every": 5}
    whole = begin(make_run(tmp_path / "whole", **changes))
    cut = make_run(tmp_path / "cut", **{**changes, "training__save_every": 8.0})
    recipe = from_json(cut.read_job()["payload"]["recipe"])
    command = training_command(recipe, cut)
    command[-2] = "tests.kit.disturbed_training"
    assert ended(whole) == "finished"
    launch(cut, [command], env={"DISTURB_AT": "10", "DISTURB_BY": "kill"})
    assert ended(cut) == "failed"
    plan = plan_resume(cut)
    assert plan.step == 8
    resume_run(cut, plan)
    assert ended(cut) == "finished", cut.log.read_text()[-3000:]
    assert losses(cut) == losses(whole)


@pytest.mark.slow
def test_memory_that_is_short_on_one_rank_starts_all_again_with_half_the_batch(
    warm: WarmPython, tmp_path: Path
) -> None:
    folder = make_run(tmp_path, **{**TWO, "training__max_steps": 8, "training__save_every": 3.0})
    command = training_command(from_json(folder.read_job()["payload"]["recipe"]), folder)
    command[-2] = "tests.kit.disturbed_training"
    launch(folder, [command], env={"DISTURB_AT": "4", "DISTURB_MEMORY": "1", "DISTURB_RANK": "1"})
    assert ended(folder) == "finished", folder.log.read_text()[-3000:]
    (reported,) = events(folder, "oom")
    assert (reported["batch_size"], reported["gradient_accumulation"]) == (1, 2)
    assert [event["step"] for event in events(folder, "resume")] == [3]
    assert set(losses(folder)) == set(range(1, 9))
    assert [event for event in events(folder, "alert") if event.get("failed")] == []


@pytest.mark.parametrize("number", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_rank_that_is_killed_ends_the_run_and_all_others(warm: WarmPython, tmp_path: Path, number: int) -> None:
    folder = long_run(tmp_path)
    both = ranks(folder)
    process.send(both[number], signal.SIGKILL)
    assert ended(folder) == "failed"
    assert f"(rank {number}) was killed from outside (signal 9)" in folder.read_status().message
    assert not any(process.is_alive(one) for one in both)


@pytest.mark.slow
def test_ranks_whose_keeper_is_killed_get_another_which_ends_them_all(warm: WarmPython, tmp_path: Path) -> None:
    folder = long_run(tmp_path)
    both = ranks(folder)
    first = process.from_json(folder.read_job()["keeper"])
    assert first is not None
    process.send(first, signal.SIGKILL)
    until(lambda: standing(folder).kept and folder.read_job()["keeper"] != first.to_json(), "another has taken over")
    seen = steps(folder)[-1]
    until(lambda: steps(folder)[-1] > seen, "the ranks go on")
    assert ranks(folder) == both
    requests.ask(folder, requests.STOP)
    assert ended(folder) == "stopped"
    assert not any(process.is_alive(one) for one in both)
    (last,) = events(folder, "ended")
    assert all(one.to_json() in last["processes"] for one in both)
    assert plan_resume(folder).step == steps(folder)[-1]
