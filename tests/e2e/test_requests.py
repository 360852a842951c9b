"""What viewers ask is received within two seconds, and `stop-now` done within five, whatever takes long just then."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from core.engine.worker import LISTEN_EVERY
from core.jobs import keeper as keeper_module
from core.jobs import process, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.kit.training_runs import events, lines, make_run
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

slow = pytest.mark.slow


def answers(folder: JobFolder, name: str) -> list[str]:
    return [event["answer"] for event in events(folder, "request") if event["request"] == name and "answer" in event]


def stuck(parent: Path, where: str) -> JobFolder:
    """A run that hangs in one phase until a file lies in its folder."""
    folder = make_run(parent, training__max_steps=4, training__eval_every=2.0, training__save_every=2.0)
    gate = {"DISTURB_AT": "2", "DISTURB_GATE": where}
    launch(folder, [worker_command("tests.kit.disturbed_training", folder)], env=gate)
    until((folder.path / "reached").exists, f"it hangs while {where}")
    return folder


@pytest.mark.parametrize(
    "where", ["batch", *(pytest.param(phase, marks=slow) for phase in ("loading", "prediction", "saving"))]
)
def test_in_a_phase_that_takes_long(warm: WarmPython, tmp_path: Path, where: str) -> None:
    assert LISTEN_EVERY < 2, "whatever it does, a request is heard within two seconds"
    folder = stuck(tmp_path, where)
    for name in (requests.PAUSE, requests.SAVE):
        requests.ask(folder, name)
    until(lambda: answers(folder, requests.PAUSE) == ["received"], "the pause is received")
    until(lambda: answers(folder, requests.SAVE) == ["received"], "the save is received")
    requests.ask(folder, requests.RESUME)
    until(lambda: answers(folder, requests.PAUSE) == ["received", "done"], "the pause is taken back")
    worker = folder.read_status().worker
    requests.ask(folder, requests.STOP_NOW)
    until(lambda: "received" in answers(folder, requests.STOP_NOW), "it is received")
    until(lambda: not process.is_alive(worker), "the worker is gone")
    until(lambda: standing(folder).over, "the ending is written")
    assert standing(folder).state == "stopped"
    (ended,) = events(folder, "ended")
    assert worker is not None
    assert worker.to_json() in ended["processes"]


def test_while_base_and_tuned_model_are_compared_there_is_nothing_to_save(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, training__max_steps=1, training__eval_every=0.0, training__save_every=0.0)
    launch(folder, [worker_command(name, folder) for name in ("core.training", "tests.kit.disturbed_evaluation")])
    until((folder.path / "reached").exists, "it compares")
    for name in (requests.SAVE, requests.PAUSE):
        requests.ask(folder, name)
    until(lambda: answers(folder, requests.SAVE) == ["received", "refused"], "the save is refused")
    until(lambda: answers(folder, requests.PAUSE) == ["received"], "the pause is received")
    (refused,) = [event for event in events(folder, "request") if event["answer"] == "refused"]
    assert "Nothing to save" in refused["message"]
    worker = folder.read_status().worker
    requests.ask(folder, requests.STOP_NOW)
    until(lambda: "received" in answers(folder, requests.STOP_NOW), "it is received")
    until(lambda: not process.is_alive(worker), "the worker is gone")
    until(lambda: standing(folder).over, "the ending is written")
    assert standing(folder).state == "stopped"
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert not (folder.evaluation / "summary.json").exists()


@pytest.mark.parametrize("where", ["batch", *(pytest.param(phase, marks=slow) for phase in ("loading", "saving"))])
def test_a_stop_in_a_phase_that_takes_long_saves_and_ends_after_it(
    warm: WarmPython, tmp_path: Path, where: str
) -> None:
    folder = stuck(tmp_path, where)
    requests.ask(folder, requests.STOP)
    until(lambda: answers(folder, requests.STOP) == ["received"], "it is received")
    until(lambda: standing(folder).state == "stopping", "the state says so, a moment later")
    (folder.path / "open").touch()
    until(lambda: standing(folder).over, "the run ends")
    assert standing(folder).state == "stopped"
    assert answers(folder, requests.STOP) == ["received", "done"]
    saved = [event["step"] for event in events(folder, "checkpoint")]
    made = [line["step"] for line in lines(folder.metrics) if "loss" in line]
    assert saved == ([] if where == "loading" else [2, made[-1]])
    assert made[-1:] != [4], "it did not go on to its end"
    assert (folder.adapter / "adapter_model.safetensors").exists() is (where != "loading")


@pytest.mark.slow
def test_a_stop_while_base_and_tuned_model_are_compared_ends_the_comparison(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, training__max_steps=1, training__eval_every=0.0, training__save_every=0.0)
    launch(folder, [worker_command(name, folder) for name in ("core.training", "tests.kit.disturbed_evaluation")])
    until((folder.path / "reached").exists, "it compares")
    requests.ask(folder, requests.STOP)
    until(lambda: answers(folder, requests.STOP) == ["received"], "it is received")
    (folder.path / "open").touch()
    until(lambda: standing(folder).over, "the run ends")
    assert standing(folder).state == "stopped"
    assert answers(folder, requests.STOP) == ["received", "done"]
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert not (folder.evaluation / "summary.json").exists()


def test_a_second_sigterm_ends_a_real_training_within_five_seconds(warm: WarmPython, tmp_path: Path) -> None:
    """As a scheduler does that gives little time: the first saves, and the step does not end; the second is now.

    What the keeper waits is less than five seconds; how late a busy machine lets it run is not held against it.
    """
    assert keeper_module.TICK + keeper_module.KILL_AFTER < 5
    folder = stuck(tmp_path, "batch")
    keeper, worker = process.from_json(folder.read_job()["keeper"]), folder.read_status().worker
    assert keeper is not None
    process.send(keeper, signal.SIGTERM)
    until(lambda: answers(folder, requests.STOP) == ["received"], "the first is received")
    assert process.is_alive(worker)
    process.send(keeper, signal.SIGTERM)
    until(lambda: not process.is_alive(worker), "the worker is gone")
    until(lambda: standing(folder).over, "the ending is written")
    assert standing(folder).state == "stopped"
    assert "Stopped immediately" in standing(folder).detail


@pytest.mark.slow
@pytest.mark.parametrize(("where", "step"), [("prediction", 2), ("saving", 2)])
def test_a_checkpoint_is_saved_at_the_next_batch_of_an_evaluation_or_after_a_save(
    warm: WarmPython, tmp_path: Path, where: str, step: int
) -> None:
    folder = stuck(tmp_path, where)
    requests.ask(folder, requests.SAVE)
    until(lambda: answers(folder, requests.SAVE) == ["received"], "it is received")
    (folder.path / "open").touch()
    until(lambda: standing(folder).over, "the run ends")
    assert standing(folder).state == "finished"
    assert answers(folder, requests.SAVE) == ["received", "done"]
    assert step in [event["step"] for event in events(folder, "checkpoint")]
