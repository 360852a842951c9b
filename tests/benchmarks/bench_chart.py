"""The loss chart: CPU time of a redraw, and bytes sent for one live update (the chart alone, 120x40)."""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path

from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal
from tui.charts.cells import Cells
from tui.charts.glyphs import BRAILLE
from tui.charts.layer import Layer
from tui.charts.plot import Box, Curve, draw_grid, draw_plot
from tui.charts.raster import Viewport
from tui.charts.series import Series
from tui.charts.smooth import Smoothed

WIDTH, HEIGHT = 120, 40
MILLION = 1_000_000
REDRAW_BAR = 10.0
BYTES_BAR = 1_200
UPDATES = 60


def run() -> list[Row]:
    """Redraws of a thousand and of a million points, and bytes of an update."""
    return [*_redraws(), *_updates()]


def _run_of(points: int) -> tuple[list[Curve], Series, Smoothed]:
    noise = random.Random(1)
    train, sparse = Series(), Series()
    for step in range(points):
        train.append(step, 1 + noise.random())
    for step in range(0, points, points // 20):
        sparse.append(step, 1.5)
    average = Smoothed(train, 25)
    average.update()
    curves = [
        Curve("train", train, "band", "band"),
        Curve("mean of 25", average.series, "line", "first"),
        Curve("eval", sparse, "marked", "second"),
    ]
    return curves, train, average


def _redraws() -> list[Row]:
    """The cost of one more value, as the program draws it, and of another view, which is drawn in full."""
    rows = []
    for points in (1_000, MILLION):
        curves, train, average = _run_of(points)
        box = Box(6, 1, WIDTH - 8, HEIGHT - 2)

        def draw(end: float, curves: list[Curve] = curves, box: Box = box) -> float:
            begun = time.process_time()
            cells, view = Cells(WIDTH, HEIGHT), Viewport(0, end, 0, 2)
            draw_grid(cells, box, view, BRAILLE)
            draw_plot(cells, box, view, curves, BRAILLE, fill="tint")
            return (time.process_time() - begun) * 1e3

        draw(points)
        layer, ground, view = Layer(), Cells(WIDTH, HEIGHT), Viewport(0, points * 1.5, 0, 2)
        layer.draw(ground, box, view, curves, BRAILLE, fill="tint")
        live = []
        for step in range(60):
            train.append(points + step, 1.5)
            average.update()
            begun = time.process_time()
            Cells(WIDTH, HEIGHT).lay(layer.draw(ground, box, view, curves, BRAILLE, fill="tint"))
            live.append((time.process_time() - begun) * 1e3)
        whole = [draw(points * (1.5 + number / 100)) for number in range(1, 61)]
        for what, times in (("one more value after", live), ("another view of", whole)):
            middle = statistics.median(times)
            rows.append(
                Row(
                    f"chart redraw, {what} {points:,} points",
                    middle,
                    "ms CPU",
                    bar=f"<= {REDRAW_BAR:.0f} ms" if points == MILLION else "",
                    met=middle <= REDRAW_BAR if points == MILLION else None,
                    note=f"median of {len(times)}, best {min(times):.1f}",
                )
            )
    return rows


def _updates() -> list[Row]:
    program = Path(__file__).with_name("chart_app.py")
    rows = []
    for of in (200, 3_000):
        argv = [sys.executable, str(program), str(of // 3), str(of)]
        root = str(Path(__file__).resolve().parents[2])
        sizes = []
        with Terminal(argv, WIDTH, HEIGHT, env={"PYTHONPATH": root}) as terminal:
            terminal.wait_for("eval")
            terminal.settle(0.5)
            for _ in range(UPDATES):
                before = len(terminal.raw)
                terminal.send("n")
                terminal.settle(0.15)
                sizes.append(len(terminal.raw) - before)
            terminal.send("x")
        mean = statistics.fmean(sizes)
        rows.append(
            Row(
                f"live update of a run of {of:,} steps, bytes sent",
                mean,
                "B",
                bar=f"<= {BYTES_BAR:,} B",
                met=mean <= BYTES_BAR,
                note=f"mean of {UPDATES}, largest {max(sizes):,}",
            )
        )
    return rows
