"""A live run that is asked to hold still, to save and to go on, or to stop in the middle of something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.runs.checkpoint import last_good
from core.runs.resume import plan_resume
from tests.kit.training_runs import events, lines, make_run, start
from tests.kit.waiting import PATIENCE, until
from tests.kit.warm.process import WarmPython
from tui.cli import main


def steps(folder: JobFolder) -> list[int]:
    """The steps that were logged."""
    return [line["step"] for line in lines(folder.metrics) if "loss" in line]


def answers(folder: JobFolder) -> list[tuple[str, str]]:
    """Requests and their answers, in order."""
    return [(event["request"], event["answer"]) for event in events(folder, "request")]


@pytest.fixture
def live(warm: WarmPython, tmp_path: Path) -> Iterator[JobFolder]:
    """A run of its keeper's that has made some steps of very many; ended by force if the test leaves it."""
    folder = make_run(tmp_path / "runs", training__max_steps=50_000, training__save_every=0.0, training__eval_every=0.0)
    launch(folder, [worker_command("core.training", folder)])
    until(lambda: len(steps(folder)) > 3, "some steps are logged")
    yield folder
    if not standing(folder).over:
        requests.ask(folder, requests.STOP_NOW)
        until(lambda: standing(folder).over, "it is ended")


def test_pause_holds_saves_and_goes_on(live: JobFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(live.path)
    assert main(["pause", run]) == 0
    assert "of RAM" in capsys.readouterr().out
    held = steps(live)[-1]
    now = standing(live)
    assert now.state == "paused"
    assert f"Paused at step {held:,} of 50,000. It holds " in now.status.message
    beat = now.status.heartbeat
    until(lambda: live.read_status().heartbeat != beat, "the heartbeat goes on")
    assert main(["save", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "paused"
    assert steps(live)[-1] == held
    checkpoint, _ = last_good(live.checkpoints)
    assert checkpoint is not None
    assert checkpoint.step == held
    assert main(["resume", run]) == 0
    until(lambda: steps(live)[-1] > held, "it goes on")
    assert standing(live).state == "running"
    assert [name for name, answer in answers(live) if answer == "done"] == ["pause", "save", "resume"]
    assert main(["resume", run]) == 2
    assert "not paused" in capsys.readouterr().err
    assert main(["stop", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"


def test_pause_with_release_frees_the_memory_and_resume_starts_from_there(
    live: JobFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(live.path)
    assert main(["pause", run]) == 0
    held = steps(live)[-1]
    assert main(["pause", run, "--release"]) == 0
    assert standing(live).state == "stopped"
    assert steps(live)[-1] == held  # no step more, although it was asked while it held still
    assert plan_resume(live).step == held
    capsys.readouterr()
    assert main(["resume", run, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"from step {held} of 50,000, loss " in shown
    assert "learning rate" in shown
    assert "sample" in shown
    assert main(["resume", run, "--detach", "--json"]) == 0
    until(lambda: steps(live)[-1] > held + 2, "it goes on")
    found = steps(live)
    assert found == list(range(1, len(found) + 1))
    assert main(["stop", run, "--now"]) == 0


def test_stop_in_an_evaluation_after_some_steps_saves_them(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(
        tmp_path,
        training__max_steps=500,
        training__eval_every=2.0,
        training__eval_batch_size=1,
        training__save_every=0.0,
    )
    worker = start(warm, "tests.kit.stop_in_evaluation", folder)
    assert worker.wait(timeout=PATIENCE) == 3
    assert [line["step"] for line in lines(folder.metrics) if "eval_loss" in line] == [0]
    checkpoint, _ = last_good(folder.checkpoints)
    assert checkpoint is not None
    assert checkpoint.step == 2
    assert checkpoint.evaluation_due
    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert answers(folder) == [("stop", "received"), ("stop", "done")]
    assert requests.pending(folder) == ()


def test_pause_is_kept_in_other_phases_and_can_be_taken_back(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, training__max_steps=2)
    folder.requests.mkdir(exist_ok=True)
    (folder.requests / "pause").write_text("{}")
    worker = start(warm, "core.training", folder)
    until(lambda: folder.read_status().state == "paused", "it holds before the first step")
    assert steps(folder) == []
    (folder.requests / "resume").write_text("{}")
    assert worker.wait(timeout=PATIENCE) == 0
    assert steps(folder) == [1, 2]
