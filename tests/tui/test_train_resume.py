"""Keys of the live screen that let a run hold still, and start one that has ended again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from textual.widgets import Static

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.trust import COMMAND, ConsentRequest, workspace_ask
from core.recipe.recipe import Recipe, put, to_json
from core.runs.checkpoint import seal
from tests.kit.app_waiting import until
from tests.kit.run_folders import make_run
from tests.tui.test_train_screen import MakeApp, keys, read, state
from tui.commands.pause import how_to_resume
from tui.widgets.agree import Agree


def make_checkpoint(folder: JobFolder, step: int) -> Path:
    """A whole checkpoint with the files that are looked at."""
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    folder.data.mkdir(exist_ok=True)
    (folder.data / "train.jsonl").touch()
    line = {"step": step, "loss": 1.25, "learning_rate": 2e-4}
    trainer = {"global_step": step, "max_steps": 100, "epoch": step / 25, "log_history": [line]}
    (path / "trainer_state.json").write_text(json.dumps(trainer))
    facts = {"recipe": to_json(Recipe()), "samples": 400, "samples_per_step": 16, "tokens": 48_000}
    rest = {"evaluation_due": False, "unlogged": {}, "epoch_random": ""}
    seal(path, {**facts, **rest})
    return path


async def test_p_pauses_and_lets_it_go_on(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert "p pause" in keys(screen)
        assert "r resume" not in keys(screen)
        await pilot.press("p")
        await until(pilot, lambda: requests.pending(folder) == (requests.PAUSE,))
        await until(pilot, lambda: "pause at the next step" in state(screen))
        requests.clear(folder)
        folder.write_status(state="paused", message="Paused at step 60 of 100. It holds 2.1 GB of RAM.")
        await until(pilot, lambda: "It holds 2.1 GB of RAM" in state(screen))
        assert "pause at the next step" not in state(screen)
        assert "p resume" in keys(screen)
        assert "p pause" not in keys(screen)
        await pilot.press("p")
        await until(pilot, lambda: requests.pending(folder) == (requests.RESUME,))
        await until(pilot, lambda: "to resume" in state(screen))
        requests.done(folder, requests.RESUME, "The run goes on after the pause.")
        await until(pilot, lambda: "to resume" not in state(screen))


async def test_r_shows_where_it_goes_on_and_no_leaves_it(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, state="failed", message="The GPU fell off the bus.", ended=time.time())
    folder.write_job({**folder.read_job(), "payload": {"recipe": to_json(Recipe())}})
    make_checkpoint(folder, 50)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert "p pause" not in keys(screen)
        await pilot.press("r")
        await until(pilot, lambda: "step 50 of 100, loss 1.2500, learning rate 2e-4" in state(screen))
        assert "epoch 2.00, sample 0 of 400" in state(screen)
        await pilot.press("n")
        await pilot.pause()
        assert "Resume from" not in state(screen)
        assert folder.read_status().state == "failed"


async def test_r_without_a_whole_checkpoint_says_so(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, state="stopped", message="Stopped as asked.", ended=time.time())
    folder.write_job({**folder.read_job(), "payload": {"recipe": to_json(Recipe())}})
    (make_checkpoint(folder, 50) / "trainer_state.json").write_text("{")
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "checkpoint-50" in state(screen) and "incomplete" in state(screen))
        assert "y yes" not in keys(screen)


async def test_r_is_offered_only_where_there_is_a_checkpoint(make_app: MakeApp, tmp_path: Path) -> None:
    """A run that was stopped before its first step offered a resume that then refused."""
    folder = make_run(tmp_path, steps=0, state="stopped", message="Stopped as asked.", ended=time.time())
    folder.write_job({**folder.read_job(), "payload": {"recipe": to_json(Recipe())}})
    words = how_to_resume(folder)
    assert words.startswith("it cannot be resumed: ")
    assert "tunedeck train" in words
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith("stopped")
        assert "r resume" not in keys(screen)
        make_checkpoint(folder, 50)
        await until(pilot, lambda: screen.run.resumable)
    assert f"`tunedeck resume {folder.id}` resumes it from step 50 of 100" in how_to_resume(folder)
    (folder.data / "train.jsonl").unlink()
    assert "it cannot be resumed: " in (words := how_to_resume(folder))
    assert "data/train.jsonl" in words


async def test_a_resume_asks_before_it_runs_anything_of_a_workspace_that_was_copied_here(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", "/bin/true")
    command = f"touch {tmp_path / 'X'}"
    folder = make_run(tmp_path, state="failed", message="The GPU fell off the bus.", ended=time.time())
    recipe = put(Recipe(), "reporting.at_end", command)
    folder.write_job({**folder.read_job(), "payload": {"recipe": to_json(recipe)}})
    make_checkpoint(folder, 50)
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        for words in (str(tmp_path), command):
            await pilot.press("r")
            await until(pilot, lambda: "Resume from step 50" in state(screen))
            await pilot.press("y")
            await until(pilot, lambda: isinstance(app.screen, Agree))
            assert words in app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
            await pilot.press("escape")
            assert folder.read_status().state == "failed"
            workspace_ask(tmp_path).agree()
        ConsentRequest(COMMAND, command).agree()
        await pilot.press("r")
        await until(pilot, lambda: "Resume from step 50" in state(screen))
        await pilot.press("y")
        await until(pilot, lambda: (tmp_path / "X").exists())
