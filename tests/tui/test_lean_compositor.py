"""Partial updates that render little show what a whole repaint shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate

from tests.tui.run_folders import add_steps, gpu, gpu_record, make_run
from tests.tui.test_train_screen import read, until
from tui.app import TunedeckApp

MakeApp = Callable[..., TunedeckApp]


class Shown:
    """What a terminal would show, from the updates that it gets."""

    def __init__(self, app: TunedeckApp) -> None:
        self.rows: list[list[str]] = []
        self.partial = 0
        self._send = app._display

    def display(self, screen: object, update: object) -> None:
        """Take an update."""
        if isinstance(update, LayoutUpdate):
            self.rows = [list("".join(strip.text for strip in strips)) for strips in update.strips]
        elif isinstance(update, ChopsUpdate):
            self.partial += 1
            for y, first, end in update.spans:
                for x, strip in update.chops[y].items():
                    for column, glyph in enumerate(strip.text if strip is not None else "", start=x):
                        if first <= column < end:
                            self.rows[y][column] = glyph
        self._send(screen, update)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_after_many_updates_the_screen_is_as_if_drawn_whole(
    make_app: MakeApp, tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, steps=600, of=1000)
    app = make_app("train", run=folder.path)
    shown = Shown(app)
    monkeypatch.setattr(app, "_display", shown.display)
    async with app.run_test(size=size) as pilot:
        screen = await read(pilot)
        app.screen.refresh(layout=True)
        await pilot.pause()
        before = shown.partial
        for step in (601, 602):
            add_steps(folder, range(step, step + 1), 1000)
            folder.append_gpu(gpu_record(gpu(0, utilization=step - 550)))
            folder.write_status(step=step)
            screen._look_now()
            await until(pilot, lambda step=step: len(screen.live.loss) == step)  # type: ignore[misc]
            await pilot.press("left", "l")
            await pilot.pause()
        await pilot.pause(0.1)
        assert shown.partial > before
        whole = ["".join(segment.text for segment in strip) for strip in screen._compositor.render_strips()]
        assert ["".join(row) for row in shown.rows] == whole
