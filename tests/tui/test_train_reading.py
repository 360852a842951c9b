"""How the live screen reads a run: never faster than it takes in what was read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.message import Message

from core.jobs.follow import Update
from tests.tui.run_folders import make_run
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.live_run import LiveRun
from tui.screens.train import TrainScreen

MakeApp = Callable[..., TunedeckApp]


async def test_a_long_run_is_not_read_ahead_of_the_screen(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that were read but not taken in piled up: 500 MB of a run of a million steps."""
    folder = make_run(tmp_path, steps=9_000, of=9_000)
    waiting, most, full = 0, 0, threading.Event()
    post, add = TrainScreen.post_message, LiveRun.add

    def posted(screen: TrainScreen, message: Message) -> bool:
        nonlocal waiting, most
        if isinstance(message, TrainScreen.Looked):
            waiting += 1
            most = max(most, waiting)
            if waiting > 2:
                full.set()
        return post(screen, message)

    def added(run: LiveRun, update: Update) -> None:
        nonlocal waiting
        full.wait(0.1)  # a screen that is slower than the reader
        add(run, update)
        waiting -= 1

    monkeypatch.setattr(TrainScreen, "post_message", posted)
    monkeypatch.setattr(LiveRun, "add", added)
    async with make_app("train", run=folder.path).run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        assert len(screen.live.loss) == 9_000
    assert 1 <= most <= 2
