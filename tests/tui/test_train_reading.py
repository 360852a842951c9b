"""How the live screen reads a run: never faster than it takes in what was read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.message import Message

from core.jobs.follow import Update
from tests.kit.app_waiting import until
from tests.kit.run_folders import make_run
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.live.run import LiveRun
from tui.train.messages import RunRead
from tui.train.screen import TrainScreen
from tui.widgets.pick_menu import Picked

MakeApp = Callable[..., TunedeckApp]


@pytest.mark.parametrize("overlaid", [False, True])
async def test_a_long_run_is_not_read_ahead_of_the_screen(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlaid: bool
) -> None:
    """Records that were read but not taken in piled up: 500 MB of a run of a million steps."""
    folder = long = make_run(tmp_path, steps=9_000, of=9_000)
    if overlaid:
        folder = make_run(tmp_path)
    waiting, most, full = 0, 0, threading.Event()
    shown: list[TrainScreen] = []
    post, add = TrainScreen.post_message, LiveRun.add

    def posted(screen: TrainScreen, message: Message) -> bool:
        nonlocal waiting, most
        if isinstance(message, RunRead) and overlaid != (message.source is screen.run.source):
            waiting += 1
            most = max(most, waiting)
            if waiting > 2:
                full.set()
        return post(screen, message)

    def added(run: LiveRun, update: Update) -> None:
        nonlocal waiting
        counts = not overlaid or (bool(shown) and any(run is other.live for other in shown[0].charts.overlays.runs))
        full.wait(0.1 if counts else 0.0)  # a screen that is slower than the reader
        add(run, update)
        waiting -= counts

    monkeypatch.setattr(TrainScreen, "post_message", posted)
    monkeypatch.setattr(LiveRun, "add", added)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        assert isinstance(pilot.app.screen, TrainScreen)
        screen = pilot.app.screen
        shown.append(screen)
        await read(pilot)
        if overlaid:
            screen.charts.overlay(Picked((str(long.path),)))
            await until(pilot, lambda: len(screen.charts.overlays.runs[0].live.main) == 9_000)
        else:
            assert len(screen.run.live.main) == 9_000
    assert 1 <= most <= 2
