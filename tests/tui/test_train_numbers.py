"""Numbers of any size and kind on the live screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.kit.app_waiting import until
from tests.kit.run_folders import make_run
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.live import metrics

MakeApp = Callable[..., TunedeckApp]


async def test_no_number_that_a_run_logs_ends_the_screen(make_app: MakeApp, tmp_path: Path) -> None:
    """NaN as a learning rate, numbers whose difference or whose step no float holds, epochs that are none."""
    folder = make_run(tmp_path, steps=30)
    odd = {"high": (1e308, -1e308), "low": (5e-324, 1e-320), "whole": (2**63, 1), "learning_rate": ("nan", "nan")}
    for step in range(31, 51):
        values = {name: pair[step % 2] for name, pair in odd.items()}
        place = {"epoch": ("nan", 0.4)[step % 2], "num_tokens": (1e308, 24_400.0)[step % 2], "eta_seconds": "inf"}
        folder.append_metric({"t": time.time(), "step": step, "loss": 1.0, **values, **place})
    folder.append_metric({"step": 1e200, "loss": 2.0})
    async with make_app("train", run=folder.path).run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        screen.charts.choose_panels([*odd])
        for metric in odd:
            await pilot.press("b", "left", "L", "z", "0", "x")
            await until(pilot, lambda: screen.charts.chart.title == metrics.title_of(metric))  # noqa: B023
        assert max(screen.run.live.main.x) == 50
        assert screen.run.live.last("epoch") == 0.4
