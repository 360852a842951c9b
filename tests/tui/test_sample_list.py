"""The list of rows: it reads only what it shows, and the cursor repaints only what changed."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from tui.widgets.sample_entry import ListEntry
from tui.widgets.sample_list import SampleList

MILLIONS = 3_000_000


class Harness(App[None]):
    """A list of numbered rows that notes which rows were asked for."""

    CSS = "SampleList { width: 80; height: 20; }"

    def __init__(self, count: int = MILLIONS) -> None:
        super().__init__()
        self.rows = count
        self.asked: list[int] = []
        self.highlighted: list[int] = []
        self.chosen: list[int] = []
        self.changed: set[int] = set()

    def compose(self) -> ComposeResult:
        yield SampleList(self.read)

    def on_mount(self) -> None:
        self.query_one(SampleList).reset(self.rows)

    def read(self, position: int) -> ListEntry:
        self.asked.append(position)
        mark = "drop" if position in self.changed else ""
        return ListEntry(position + 1, "", "good", mark, ("214 chars",), f"preview {position}")

    def on_sample_list_highlighted(self, event: SampleList.Highlighted) -> None:
        self.highlighted.append(event.position)

    def on_sample_list_chosen(self, event: SampleList.Chosen) -> None:
        self.chosen.append(event.position)

    @property
    def list(self) -> SampleList:
        return self.query_one(SampleList)

    def shown(self) -> list[str]:
        """The lines of the list as text."""
        widget = self.list
        return [strip.text.rstrip() for strip in widget.render_lines(Region(0, 0, *widget.size))]


async def test_only_visible_rows_are_read() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert app.list.cursor == MILLIONS - 1
        assert "preview 2999999" in app.shown()[-1]
        assert len(set(app.asked)) <= 60


async def test_page_down_goes_on_where_the_page_ended() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("pagedown")
        await pilot.pause()
        assert app.list.cursor == 19
        await pilot.press("pagedown")
        await pilot.pause()
        assert app.list.cursor == 38
        assert "> " in app.shown()[-1]
        await pilot.press("home")
        await pilot.pause()
        assert app.list.cursor == 0
        assert app.shown()[0].startswith("> ")


async def test_moving_the_cursor_asks_for_no_row_again_and_repaints_two_lines() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.asked.clear()
        painted: list[Region] = []
        refresh = app.list.refresh

        def noting(*regions: Region, **options: bool) -> SampleList:
            painted.extend(regions)
            return refresh(*regions, **options)

        app.list.refresh = noting  # type: ignore[method-assign]
        await pilot.press("down")
        await pilot.pause()
        assert app.asked == []
        assert sorted({region.y for region in painted}) == [0, 1]
        assert all(region.height == 1 for region in painted)


async def test_rows_that_arrive_later_lengthen_the_list_and_move_nothing() -> None:
    app = Harness(count=5)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("down", "down")
        app.list.grow(1_000)
        await pilot.pause()
        assert app.list.cursor == 2
        assert "preview 19" in app.shown()[19]
        await pilot.press("end")
        await pilot.pause()
        assert app.list.cursor == 999


async def test_click_moves_and_double_click_chooses() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.click(SampleList, offset=(10, 4))
        assert app.list.cursor == 4
        await pilot.click(SampleList, offset=(10, 6), times=2)
        await pilot.pause()
        assert app.chosen == [6]


async def test_enter_chooses_and_every_move_is_reported_once() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.chosen == [1]
        assert app.highlighted == [0, 1]


async def test_a_changed_row_is_read_again_and_says_its_decision_in_words() -> None:
    app = Harness()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.changed.add(3)
        app.list.update(3)
        await pilot.pause()
        assert "dropped" in app.shown()[3]
        assert "✗" in app.shown()[3]


async def test_an_empty_list_survives_every_key() -> None:
    app = Harness(count=0)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("down", "up", "pagedown", "pageup", "end", "home", "enter")
        await pilot.pause()
        assert app.chosen == []
        assert app.asked == []


async def test_news_of_all_rows_draw_only_the_lines_that_differ() -> None:
    app = Harness()
    drawn: list[int] = []
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        refresh_line = app.list.refresh_line

        def noted(position: int) -> None:
            drawn.append(position)
            refresh_line(position)

        app.list.refresh_line = noted  # type: ignore[method-assign]
        app.changed = {4, 300}
        app.list.update()
        await pilot.pause()
        assert drawn == [4]
        assert "✗" in app.shown()[4]


async def test_slow_rows_do_not_hold_up_the_paint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty rows of 15 ms each would freeze the screen for 0.3 s if a paint waited for them."""
    import time

    for budget in ("_PAINT_BUDGET", "_SLICE"):
        monkeypatch.setattr(f"tui.widgets.sample_list.{budget}", 0.012)
    app = Harness()
    steps: set[int] = set()

    def slow(position: int) -> ListEntry:
        until = time.perf_counter() + 0.015
        while time.perf_counter() < until:
            pass
        return ListEntry(position + 1, "", "good", "", ("1 chars",), f"preview {position}")

    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.read = slow  # type: ignore[method-assign]
        app.list._read = slow
        app.list.reset(app.list.count)
        first = app.shown()
        assert sum("preview" in line for line in first) < 6
        assert "…" in first[-1]
        while not all("preview" in line for line in app.shown()):
            steps.add(sum("preview" in line for line in app.shown()))
            await pilot.pause(0.01)
        assert len(steps) >= 3, "they come a few at a time"
