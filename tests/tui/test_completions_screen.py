"""The completions of an online run: best and worst first, by step, and from there to the sample outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, put
from core.recipe.sections.rewards import RewardEntry
from core.runs.completions import read_completions
from core.runs.reward_trial import trial_lines, try_rewards
from tests.kit.app_waiting import until
from tui.app import TunedeckApp
from tui.train.completions import CompletionsScreen
from tui.train.samples import SamplesScreen

MakeApp = Callable[..., TunedeckApp]


def _line(step: int, *texts: str, held_out: bool = False) -> dict[str, Any]:
    lines = [
        {"reward": 1.0 - n, "scores": {"regex": 1.0 - n, "polite": None}, "prompt": f"[@click=app.quit]ask {step}[/]"}
        | {"completion": text, "tokens": 3, "answer": "reference"}
        for n, text in enumerate(texts)
    ]
    return {"step": step, "held_out": held_out, "of": 8, "completions": lines}


def _run(parent: Path) -> JobFolder:
    folder = JobFolder.create(parent / "runs", "r", "training", payload={"recipe": {"task": "grpo"}})
    for step in (1, 2, 3):
        folder.append_completions(_line(step, f"good {step}", f"bad {step} " + "x" * 900, "\x1b[2Jworst"))
    folder.append_completions(_line(2, "again", "worse"))  # it went back to step 1
    folder.append_completions(_line(2, "held", held_out=True))
    folder.write_status(state="finished", step=3, of=3, started=1_000.0, ended=1_100.0)
    return folder


def test_what_a_run_went_back_on_is_void_and_the_file_is_bounded(tmp_path: Path) -> None:
    folder = _run(tmp_path)
    assert [(each.step, each.held_out) for each in read_completions(folder.path)] == [(1, False), (2, False), (2, True)]
    with (folder.path / "completions.jsonl").open("ab") as file:
        file.write(b'{"step": 3, "completi')
    assert len(read_completions(folder.path)) == 3
    for step in range(3, 60):
        folder.append_completions(_line(step, "x" * 2_000), most=20_000)
    assert (folder.path / "completions.jsonl").stat().st_size <= 20_000 + 3_000
    assert read_completions(folder.path)[-1].step == 59
    assert read_completions(tmp_path) == []


async def test_completions_are_shown_best_or_worst_first(make_app: MakeApp, tmp_path: Path) -> None:
    folder = _run(tmp_path)

    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, CompletionsScreen))

        def text(name: str) -> str:
            return str(app.screen.query_one(name, Static).render())

        await until(pilot, lambda: "again" in text("#completions"))
        assert "step 2" in text("#where")
        assert "2 of 8" in text("#where")
        assert "regex 1" in text("#completions")
        assert "polite none" in text("#completions")
        assert "[@click=app.quit]ask 2[/]" in text("#completions"), "never markup"
        assert text("#completions").count("ask 2") == 1, "the prompt of a group is written once"
        assert text("#completions").index("again") < text("#completions").index("worse")
        await pilot.press("s")
        assert text("#completions").index("again") > text("#completions").index("worse")
        assert "worst first" in text("#where")
        await pilot.press("left")
        assert "step 1" in text("#where")
        assert "more characters" in text("#completions")
        assert "\x1b" not in text("#completions")
        await pilot.press("v")
        assert "x" * 900 in text("#completions")
        await pilot.press("e")
        assert "eval prompts" in text("#where")
        assert "held" in text("#completions")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompletionsScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CompletionsScreen))


@pytest.mark.parametrize("column", ["solution", "nothing"])
def test_rewards_are_tried_on_ten_samples(tmp_path: Path, column: str) -> None:
    rows = [f'{{"question": "What is {n} + 1?", "answer": "It is {n + 1}", "solution": "{n + 1}"}}' for n in range(30)]
    (tmp_path / "d.jsonl").write_text("\n".join(rows) + "\n")
    recipe = put(put(Recipe(), "task", "grpo"), "data.train", (str(tmp_path / "d.jsonl"),))
    rewards = (
        RewardEntry("exact_match", column=column, pattern=r"\d+"),
        RewardEntry("regex", 0.5, pattern="^It"),
        RewardEntry("regex", 0.5, pattern="zzz"),
        RewardEntry("regex", 0.5, pattern="^$"),
    )
    recipe = put(recipe, "rewards", rewards)
    if column == "nothing":
        with pytest.raises(Exception, match="nothing"):
            try_rewards(recipe, tmp_path)
        return
    trial = try_rewards(recipe, tmp_path)
    assert (trial.of, trial.answered) == (10, 10)
    assert [reward.known for reward in trial.rewards] == [[1.0] * 10, [1.0] * 10, [0.0] * 10, [0.0] * 10]
    assert [bool(reward.problem) for reward in trial.rewards] == [False, False, True, True]
    assert "constant" in trial.problems[0]
    assert "say nothing" in trial.problems[1]
    table = "\n".join(trial_lines(trial, 80))
    assert "exact_match" in table
    assert "It is 1" in table
    assert max(len(line) for line in trial_lines(trial, 80) if not line.startswith("▲")) <= 80
