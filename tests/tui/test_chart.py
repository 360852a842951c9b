"""The chart widget: what it shows, what its keys do, and that an update sends a few cells."""

from __future__ import annotations

import math
import random
from math import nan

import pytest
from rich.segment import Segment

from tests.kit.one_widget import OneWidget, Sent, text_of
from tui.charts.plot import Curve
from tui.charts.series import Series
from tui.charts.smooth import Smoothed
from tui.widgets.chart import Chart


class Loss:
    """A noisy loss with its average and an eval loss, growing step by step."""

    def __init__(self, steps: int = 0, of: int = 1000) -> None:
        self._noise = random.Random(7)
        self._of = of
        self.train, self.eval = Series(), Series()
        self.average = Smoothed(self.train, 25)
        self.grow(steps)
        self.chart = Chart(
            "loss",
            [
                Curve("train", self.train, "band", "band"),
                Curve("mean of 25", self.average.series, "line", "first"),
                Curve("eval", self.eval, "marked", "second"),
            ],
        )
        self.chart.set_end(of)

    def grow(self, steps: int) -> None:
        """Log so many more steps."""
        for _ in range(steps):
            step = len(self.train) + 1
            value = 0.8 + 4 * math.exp(-5 * step / self._of) + self._noise.gauss(0, 0.15)
            self.train.append(step, value)
            if step % 100 == 0:
                self.eval.append(step, value + 0.1)
        self.average.update()


async def test_frame_axes_and_last_values_are_shown() -> None:
    loss = Loss(500)
    async with OneWidget(loss.chart).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        rows = text_of(loss.chart)
        assert rows[0].startswith("╭─ loss ")
        assert "train " in rows[0]
        assert "eval " in rows[0]
        assert rows[-1].rstrip("╯").rstrip().endswith(" 1,000")
        assert "0 steps" in rows[-1]
        assert [row[2] for row in rows[1:-1] if row[2] != " "] == ["5", "4", "3", "2", "1", "0"]


async def test_without_values_a_sentence_stands_there() -> None:
    chart = Chart("loss", [Curve("train", Series(), "band", "band")], empty="nothing logged yet")
    async with OneWidget(chart).run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert any("nothing logged yet" in row for row in text_of(chart))


async def test_one_more_step_sends_few_cells_and_the_axis_stays() -> None:
    loss = Loss(600)
    async with OneWidget(loss.chart).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        bounds = loss.chart.view()
        for _ in range(20):
            sent = Sent(loss.chart)
            loss.grow(1)
            loss.chart.repaint()
            assert sent.cells < 60
        assert loss.chart.view() == bounds


async def test_what_is_sent_piece_by_piece_is_what_a_full_repaint_shows() -> None:
    loss = Loss(3)
    async with OneWidget(loss.chart).run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        screen = list(text_of(loss.chart))
        for steps in [1] * 40 + [25] * 20:
            sent = Sent(loss.chart)
            loss.grow(steps)
            loss.chart.repaint()
            rows = text_of(loss.chart)
            for region in sent.regions:
                for y in range(region.y, region.bottom):
                    screen[y] = screen[y][: region.x] + rows[y][region.x : region.right] + screen[y][region.right :]
            await pilot.pause()
        fresh = Loss(3)
        fresh.grow(40 + 25 * 20)
        fresh.chart._range = loss.chart._range
        fresh.chart._gutter = loss.chart._gutter
        assert screen == fresh.chart._draw(loss.chart.size).text()


async def test_nan_is_a_gap_and_a_badge_and_no_bound() -> None:
    series = Series()
    for step in range(1, 101):
        series.append(step, nan if 40 <= step < 60 else 2.0)
    chart = Chart("loss", [Curve("train", series, "line", "first")])
    chart.set_end(100)
    async with OneWidget(chart).run_test(size=(108, 12)) as pilot:
        await pilot.pause()
        rows = text_of(chart)
        assert "20 not finite" in rows[0]
        assert max(view for view in chart.view()[2:4]) < 3
        drawn = "".join(
            max((row[x] for row in rows[1:-1]), key=lambda glyph: "\u2801" <= glyph <= "\u28ff") for x in range(6, 107)
        )
        middle = drawn[len(drawn) * 45 // 100 : len(drawn) * 55 // 100]
        assert not any("\u2801" <= glyph <= "\u28ff" for glyph in middle)


async def test_the_reading_line_says_step_and_values() -> None:
    loss = Loss(500)
    async with OneWidget(loss.chart).run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        loss.chart.move_crosshair(-1)
        assert loss.chart.crosshair == 500
        loss.chart.move_crosshair(-10)
        step = loss.chart.crosshair
        assert step is not None
        assert step < 500
        assert f"step {step:.0f}" in text_of(loss.chart)[-1]
        assert "eval" in text_of(loss.chart)[0]
        loss.chart.show_all()
        assert loss.chart.crosshair is None


async def test_the_place_of_the_reading_line_leaves_no_half_labels() -> None:
    loss = Loss(1000)
    async with OneWidget(loss.chart).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        labels = set(text_of(loss.chart)[-1].strip("╰╯").replace("─", " ").split())
        loss.chart.move_crosshair(0)
        for _ in range(60):
            loss.chart.move_crosshair(-1)
            foot = text_of(loss.chart)[-1].strip("╰╯").replace("─", " ")
            left, _, right = foot.partition("step ")
            assert set(left.split()) | set(right.split()[1:]) <= labels


async def test_the_reading_line_moves_by_single_values_where_they_are_sparse() -> None:
    series = Series()
    for step in (1, 500, 1000):
        series.append(step, 1.0)
    chart = Chart("x", [Curve("x", series, "line", "first")])
    async with OneWidget(chart).run_test(size=(120, 10)) as pilot:
        await pilot.pause()
        seen = []
        for _ in range(4):
            chart.move_crosshair(-1)
            seen.append(chart.crosshair)
        assert seen == [1000, 500, 1, 1]


async def test_zoom_pan_and_back() -> None:
    loss = Loss(1000)
    async with OneWidget(loss.chart).run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        loss.chart.zoom(0.5)
        assert loss.chart.span() == (500, 1000)
        loss.chart.pan(-0.5)
        assert loss.chart.span() == (250, 750)
        loss.chart.pan(-5)
        assert loss.chart.span() == (0, 500)
        assert loss.chart.view().y1 >= 4
        for _ in range(20):
            loss.chart.zoom(0.5)
        x0, x1 = loss.chart.span()
        assert x1 - x0 >= 4
        for _ in range(20):
            loss.chart.zoom(2)
        assert not loss.chart.zoomed
        assert loss.chart.span() == (0, 1000)


async def test_a_logarithmic_axis_only_where_something_is_positive() -> None:
    negative = Series()
    negative.append(1, -2.0)
    chart = Chart("margin", [Curve("", negative, "line", "first")])
    async with OneWidget(chart).run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert not chart.toggle_log()
        negative.append(2, 10.0)
        assert chart.toggle_log()
        assert chart.view().y0 > 0
        assert "(log)" in text_of(chart)[0]


@pytest.mark.parametrize("size", [(20, 5), (16, 3), (60, 8), (200, 60)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    loss = Loss(300)
    async with OneWidget(loss.chart).run_test(size=size) as pilot:
        await pilot.pause()
        assert all(len(row) == loss.chart.size.width for row in text_of(loss.chart))


async def test_another_theme_recolors_the_chart() -> None:
    loss = Loss(300)
    app = OneWidget(loss.chart)

    def colors() -> set[object]:
        def of(segment: Segment) -> object:
            return segment.style.color if segment.style else None

        return {of(segment) for y in range(10) for segment in loss.chart.render_line(y)}

    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        dark = colors()
        app.theme = "light"
        await pilot.pause()
        assert colors().isdisjoint(dark)
