"""What a click does: a step of the header, a view of the row, a filter of the list."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, rows_list, sample_text, sample_view, scanned, text_of
from tui.app import TunedeckApp
from tui.widgets.top_bar import TopBar


def place(app: TunedeckApp, words: str) -> tuple[int, int]:
    """Column and row of the first place on the screen that shows the words."""
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        if (x := strip.text.find(words)) >= 0:
            return x, y
    raise AssertionError(f"{words!r} is not on the screen")


async def click(pilot: Pilot[int], words: str) -> None:
    """Click on words where the screen shows them."""
    x, y = place(pilot.app, words)
    await pilot.click(offset=(x + 1, y))
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_click_on_a_step_goes_there(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app("runs")
    async with app.run_test(size=size) as pilot:
        for title, mode in (("2 Recipe", "recipe"), ("1 Data", "data"), ("6 Runs", "runs")):
            await click(pilot, title)
            assert app.current_mode == mode
        bar = text_of(app.screen.query_one(TopBar))
        for x in (bar.index("1 Data") - 2, bar.index("6 RUNS") + 8):
            if 0 <= x < size[0]:
                await pilot.click(offset=(x, 0))
                assert app.current_mode == "runs", "no step is there"


async def test_a_click_on_a_view_shows_it(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await click(pilot, " raw ")
        await until(pilot, lambda: '"messages": [' in sample_text(app), "the text of the file")
        assert "RAW" in str(sample_view(app).border_title)
        await click(pilot, " chat ")
        await until(pilot, lambda: "user\n  first" in sample_text(app), "the turns")


async def test_a_click_on_a_filter_lists_its_rows(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert rows_list(app).count == 6
        await click(pilot, " flagged ")
        assert rows_list(app).count == 2
        await click(pilot, " all ")
        assert rows_list(app).count == 6
