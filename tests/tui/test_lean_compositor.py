"""Partial updates that render little show what a whole repaint shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

from tests.kit.app_waiting import until
from tests.kit.run_folders import add_steps, gpu, gpu_record, make_run
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.terminal.pen import ScreenCell
from tui.terminal.wire import PaintedUpdate

MakeApp = Callable[..., TunedeckApp]


def look(style: Style | None) -> tuple[object, ...]:
    """What of a style is seen."""
    style = style or Style()
    return style.color, style.bgcolor, style.bold, style.dim, style.reverse, style.underline, style.italic


def cells_of(strip: Strip) -> list[ScreenCell]:
    """The cells of a strip whose glyphs are all narrow."""
    return [(char, style) for text, style, _ in strip for char in text]


class Shown:
    """What a terminal would show, from the updates that it gets."""

    def __init__(self, app: TunedeckApp) -> None:
        self.rows: list[list[ScreenCell]] = []
        self.partial = self.painted = 0
        self._send = app._display

    def display(self, screen: object, update: object) -> None:
        """Take an update."""
        if isinstance(update, LayoutUpdate):
            self.rows = [[cell for strip in strips for cell in cells_of(strip)] for strips in update.strips]
        elif isinstance(update, ChopsUpdate):
            self._take_chops(update)
        elif isinstance(update, PaintedUpdate):
            self.painted += 1
            for y, x, cells in update.painted:
                self.rows[y][x : x + len(cells)] = cells
            if update.rest is not None:
                self._take_chops(update.rest)
        self._send(screen, update)  # type: ignore[arg-type]

    def _take_chops(self, update: ChopsUpdate) -> None:
        self.partial += 1
        for y, first, end in update.spans:
            for x, strip in update.chops[y].items():
                for column, cell in enumerate(cells_of(strip) if strip is not None else [], start=x):
                    if first <= column < end:
                        self.rows[y][column] = cell


@pytest.mark.parametrize(("size", "color"), [((80, 24), True), ((120, 40), True), ((80, 24), False)])
async def test_after_many_updates_the_screen_is_as_if_drawn_whole(
    make_app: MakeApp, tmp_path: Path, size: tuple[int, int], color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not color:
        monkeypatch.setenv("NO_COLOR", "1")
    folder = make_run(tmp_path, steps=600, of=1000)
    app = make_app("train", run=folder.path)
    shown = Shown(app)
    monkeypatch.setattr(app, "_display", shown.display)
    async with app.run_test(size=size) as pilot:
        screen = await read(pilot)
        app.screen.refresh(layout=True)
        await pilot.pause()
        before, painted = shown.partial, shown.painted
        for step in (601, 602):
            add_steps(folder, range(step, step + 1), 1000)
            folder.append_gpu(gpu_record(gpu(0, utilization=step - 550)))
            folder.write_status(step=step)
            screen.look_now()
            await until(pilot, lambda step=step: len(screen.run.live.main) == step)  # type: ignore[misc]
            await pilot.press("left", "l")
            await pilot.pause()
        await pilot.pause()
        assert shown.partial > before
        assert shown.painted > painted
        for row, strip in zip(shown.rows, screen._compositor.render_strips(), strict=True):
            whole = cells_of(strip)
            assert "".join(glyph for glyph, _ in row) == strip.text
            assert [look(style) for _, style in row] == [look(style) for _, style in whole]


@pytest.mark.parametrize("low", [True, False])
async def test_with_low_bandwidth_the_screen_behind_the_help_stays_as_it_is(make_app: MakeApp, low: bool) -> None:
    """Dimming it sent all of it, and closing the help all of it again."""
    app = make_app("runs", low_bandwidth=low)
    async with app.run_test() as pilot:
        before = app.screen._compositor.render_strips()[0]
        await pilot.press("question_mark")
        await pilot.pause()
        after = app.screen._compositor.render_strips()[0]
        assert after.text == before.text
        same = [look(style) for _, style in cells_of(after)] == [look(style) for _, style in cells_of(before)]
        assert same == low
