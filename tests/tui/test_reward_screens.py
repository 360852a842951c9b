"""A run that is judged by a reward: its chart, its facts and its comparison show the reward, not the loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.jobs.folder import JobFolder
from core.verdict.run_list import RunList
from tests.kit.app_waiting import until
from tests.kit.one_widget import text_of
from tests.kit.reward_task import add_reward_task, rewarded, rising
from tests.tui.test_train_charts import panels
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.runs.compare import CompareScreen
from tui.widgets.chart import Chart
from tui.widgets.facts import FactLines

MakeApp = Callable[..., TunedeckApp]


@pytest.fixture(autouse=True)
def _a_task_with_a_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    add_reward_task(monkeypatch)


def _run(workspace: Path, name: str, task: str = "reward") -> JobFolder:
    folder = JobFolder.create(workspace / "runs", name, "training", payload={"recipe": {"name": name, "task": task}})
    for record in rewarded(160, eval_reward=rising):
        folder.append_metric(record)
    folder.write_status(state="finished", step=160, of=160, started=1_000.0, ended=1_100.0)
    return folder


async def test_the_large_chart_has_the_reward_and_a_panel_the_loss(make_app: MakeApp, tmp_path: Path) -> None:
    folder = _run(tmp_path, "tone")
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        chart = screen.query_one("#headline", Chart)
        await until(pilot, lambda: chart.title == "reward")
        await until(pilot, lambda: "loss" in panels(screen))
        assert [curve.name for curve in chart.curves] == ["train", "mean of 25", "eval"]
        assert chart.curves[0].series is screen.run.live.series("reward")
        await until(pilot, lambda: "best eval" in " ".join(text_of(screen.query_one(FactLines))))
        assert "at step 160" in " ".join(text_of(screen.query_one(FactLines)))
        turn = []
        for _ in range(5):
            await pilot.press("b")
            turn.append(chart.title)
        assert turn == ["learning rate", "gradient norm", "reward std", "loss", "reward"]


async def test_runs_are_compared_by_their_rewards(make_app: MakeApp, tmp_path: Path) -> None:
    for name in ("one", "two"):
        _run(tmp_path, name)
    runs = RunList(tmp_path)
    lines, _ = runs.work(runs.read(), 60.0)
    async with make_app("runs").run_test(size=(120, 40)) as pilot:
        screen = CompareScreen(lines)
        await pilot.app.push_screen(screen)
        chart = screen.query_one(Chart)
        await until(pilot, lambda: sum(len(curve.series) for curve in chart.curves) == 320)
        assert chart.title == "train reward"
        await pilot.press("m")
        assert chart.title == "eval reward"
