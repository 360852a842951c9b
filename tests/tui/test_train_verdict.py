"""The verdict on the live screen: the word first, then what is seen and what to change."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.jobs.folder import JobFolder
from tests.kit.app_waiting import until
from tests.kit.one_widget import text_of
from tests.kit.run_folders import make_run
from tests.kit.verdict_runs import course, falling
from tui.app import TunedeckApp
from tui.train.screen import TrainScreen
from tui.widgets.chart import Chart
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]


def overfit(step: int) -> float:
    return falling(step) if step <= 200 else falling(200) + 0.001 * (step - 200)


def run_of(parent: Path, records: list[dict[str, Any]], **status: Any) -> JobFolder:
    folder = make_run(parent, steps=0, of=600, **{"step": records[-1]["step"], **status})
    for record in records:
        folder.append_metric(record)
    return folder


async def words(pilot: Pilot[int], begins: str) -> str:
    """The verdict on the screen, once it begins like this."""
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    shown = screen.query_one("#verdict", TextLines)
    await until(pilot, lambda: "".join(shown.plain).startswith(begins), f"a verdict that begins with {begins}")
    return "".join(shown.plain)


@pytest.mark.parametrize(("size", "rows"), [((80, 24), 3), ((60, 20), 4), ((160, 45), 2)])
async def test_an_overfitting_run_says_since_when_what_to_keep_and_what_to_change(
    make_app: MakeApp, tmp_path: Path, size: tuple[int, int], rows: int
) -> None:
    records = course(400, lambda step: 1.9 - 0.004 * step, eval_loss=overfit, epochs=3)
    folder = run_of(tmp_path, records)
    (folder.checkpoints / "checkpoint-180").mkdir(parents=True)
    async with make_app("train", run=folder.path).run_test(size=size) as pilot:
        said = await words(pilot, "OVERFITTING since step 220:")
        assert "eval 1.122. Keep checkpoint 180. Next time: 1.5 epochs" in said
        await pilot.pause()
        assert 1 <= pilot.app.screen.query_one("#verdict").size.height <= rows
        assert pilot.app.screen.query_one("#headline", Chart).size.height >= 6
        assert pilot.app.screen.query_one("KeyBar").region.bottom <= size[1]


async def test_a_run_that_goes_on_changes_its_verdict_as_it_goes(make_app: MakeApp, tmp_path: Path) -> None:
    records = course(400, lambda step: 1.9 - 0.004 * step, eval_loss=overfit, epochs=3)
    folder = run_of(tmp_path, records[:10])
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        await words(pilot, "WARMING UP")
        for record in records[10:80]:
            folder.append_metric(record)
        await words(pilot, "HEALTHY: train loss")
        for record in records[80:]:
            folder.append_metric(record)
        await words(pilot, "OVERFITTING")


async def test_a_finished_run_keeps_its_verdict(make_app: MakeApp, tmp_path: Path) -> None:
    folder = run_of(tmp_path, course(400, eval_loss=falling), state="finished", ended=time.time())
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        said = await words(pilot, "HEALTHY")
        assert "mean of 25" in said
        assert "eval loss 2.000 -> 1.0" in said


async def test_chart_and_verdict_print_the_same_mean_before_and_after_a_resume(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """They differed by a fifth on one screen, and a resume began the average again."""
    records = course(300)
    folder = run_of(tmp_path, records[:200])

    async def agree(pilot: Pilot[int], last: int) -> str:
        screen = pilot.app.screen
        assert isinstance(screen, TrainScreen)
        await until(pilot, lambda: len(screen.run.live.main) == last and screen.run.verdict is not None)
        said = await words(pilot, "HEALTHY")
        legend = text_of(screen.query_one("#headline", Chart))[0]
        figure = re.search(r"mean of 25 +([\d.]+)", legend)
        assert figure is not None, legend
        assert f"-> {figure[1]} (mean of 25)" in said
        losses = [record["loss"] for record in records[:last] if "loss" in record]
        assert float(figure[1]) == pytest.approx(sum(losses[-25:]) / 25, rel=1e-3)
        return figure[1]

    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        await agree(pilot, 200)
        for record in records[190:195]:  # resumed from step 190: five steps are logged again
            folder.append_metric(record)
        await agree(pilot, 195)


async def test_a_run_that_ended_early_is_too_early_to_judge(make_app: MakeApp, tmp_path: Path) -> None:
    folder = run_of(tmp_path, course(5), state="stopped", ended=time.time())
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        said = await words(pilot, "TOO EARLY TO JUDGE")
        assert "5 so far" in said
        assert "step 18" in said


async def test_another_run_gets_a_verdict_of_its_own(make_app: MakeApp, tmp_path: Path) -> None:
    first = run_of(tmp_path, [*course(40), {"step": 41, "loss": "nan"}], state="failed", ended=time.time())
    second = run_of(tmp_path, course(60))
    async with make_app("train", run=first.path).run_test(size=(80, 24)) as pilot:
        await words(pilot, "NOT FINITE at step 41")
        screen = pilot.app.screen
        assert isinstance(screen, TrainScreen)
        screen.session.run = second.path
        await words(pilot, "HEALTHY")
