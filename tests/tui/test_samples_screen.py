"""Answers of the model in training, by step and by prompt; hostile ones change nothing on the screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from core.jobs.folder import JobFolder
from core.runs.sampled import read_rounds
from tests.kit.app_waiting import until
from tests.kit.run_folders import make_run
from tui.app import TunedeckApp
from tui.train.samples import SamplesScreen

MakeApp = Callable[..., TunedeckApp]
HOSTILE = "\x1b]52;c;eA==\x07[@click=app.quit]x[/]"


def add_round(folder: JobFolder, step: int, prompts: int = 2) -> None:
    """A round as the worker writes it."""
    samples = [
        {
            "key": f"k{n}",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"question {n}?"}],
            "reference": f"reference {n}",
            "answer": f"answer {n} at {step} {HOSTILE}",
            "tokens": 9,
            "ended": step > 0,
        }
        for n in range(1, prompts + 1)
    ]
    folder.append_samples({"step": step, "seconds": 0.4, "samples": samples})


async def test_a_long_question_leaves_the_answers_of_all_prompts_on_the_screen(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """A question of 4,500 characters came first, and the answers stood pages below it."""
    folder = make_run(tmp_path)
    samples = [
        {"key": f"k{n}", "messages": [{"role": "user", "content": words}], "reference": "", "answer": f"answer {n}"}
        for n, words in ((1, "why " * 1100), (2, "why?"))
    ]
    folder.append_samples({"step": 0, "samples": [{**sample, "tokens": 9, "ended": True} for sample in samples]})
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await settled(app, pilot)
        assert "4,160 more characters; v shows" in text(app)
        assert app.screen.query_one("#answers").size.height < 12
        await pilot.press("v")
        assert "more characters" not in text(app)


def text(app: TunedeckApp) -> str:
    return "\n".join(str(app.screen.query_one(name, Static).render()) for name in ("#where", "#answers"))


async def settled(app: TunedeckApp, pilot: Pilot[int]) -> None:
    await app.workers.wait_for_complete()
    await pilot.pause()


async def test_answers_are_browsed_by_step_and_by_prompt(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    for step in (0, 20, 40):
        add_round(folder, step)
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await pilot.pause()
        await settled(app, pilot)
        assert isinstance(app.screen, SamplesScreen)
        assert "step 40" in text(app)
        assert "answer 1 at 40" in text(app)
        assert "answer 2 at 40" in text(app)
        assert "\x1b" not in text(app)
        assert "[@click=app.quit]x[/]" in text(app)
        await pilot.press("left", "left", "left")
        assert "base model, before the first step" in text(app)
        assert "no end of turn" in text(app)
        assert "reference 2" in text(app)
        await pilot.press("r")
        assert "reference" not in text(app)
        await pilot.press("v", "tab")
        assert "prompt 2 of 2" in text(app)
        assert [line for line in ("base", "step 20", "step 40") if line in text(app)] == ["base", "step 20", "step 40"]
        assert "answer 1" not in text(app)
        await pilot.press("v", "end")
        add_round(folder, 60)
        await until(pilot, lambda: "step 60" in text(app), "the newest step")
        assert "answer 2 at 60" in text(app), "the newest step is followed"
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, SamplesScreen)


async def test_without_answers_it_says_how_to_get_them(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app("train", run=make_run(tmp_path).path)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await pilot.pause()
        await settled(app, pilot)
        assert "samples.every" in text(app)


def test_a_resumed_run_answers_again_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    for step in (0, 20, 40, 20, 30):
        add_round(folder, step)
    with folder.samples.open("a") as file:
        file.write(json.dumps({"step": 50, "samples": []})[:-4])
    assert [here.step for here in read_rounds(folder.path)] == [0, 20, 30]
