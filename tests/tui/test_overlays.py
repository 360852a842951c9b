"""Six runs over each other are told apart: by colour, and by letters and dashes where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.segment import Segment

from tests.kit.app_waiting import until
from tests.kit.one_widget import OneWidget, text_of
from tests.kit.run_folders import make_run
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.charts.cells import Cells
from tui.charts.glyphs import BRAILLE
from tui.charts.legend import LegendEntry, draw_legend
from tui.charts.plot import Box, Curve, draw_plot
from tui.charts.raster import Viewport
from tui.charts.series import Series
from tui.runs.compare import _STYLES, CompareScreen
from tui.runs.screen import RunsScreen
from tui.themes import load_themes, read_theme
from tui.train.overlays import STYLES
from tui.widgets.chart import Chart
from tui.widgets.pick_menu import PickMenu
from tui.widgets.table import Table


def level(value: float) -> Series:
    series = Series()
    series.extend([float(step) for step in range(101)], [value] * 101)
    return series


def colors(chart: Chart) -> set[object]:
    def of(segment: Segment) -> object:
        return segment.style.color if segment.style else None

    rows = range(1, chart.size.height - 1)
    return {
        of(segment)
        for y in rows
        for segment in chart.render_line(y)
        if "\u2801" <= segment.text.strip()[:1] <= "\u28ff"
    }


@pytest.mark.parametrize("theme", [theme.name for theme in load_themes()[0]])
@pytest.mark.parametrize("styles", [_STYLES, ("first", "second", *STYLES)])
async def test_each_run_has_a_color_of_its_own(theme: str, styles: tuple[str, ...]) -> None:
    chart = Chart("loss", [Curve(style, level(place), "line", style) for place, style in enumerate(styles, 1)])
    app = OneWidget(chart)
    async with app.run_test(size=(100, 30)) as pilot:
        app.theme = theme
        await pilot.pause()
        assert len(colors(chart)) == len(styles)


def test_without_color_each_line_has_its_letter_and_its_dashes() -> None:
    curves = [Curve(letter, level(place), "line", "first", letter=letter) for place, letter in enumerate("abcdef", 1)]
    cells, box = Cells(80, 24), Box(0, 0, 80, 24)
    draw_plot(cells, box, Viewport(0, 100, 0, 7), curves, BRAILLE, fill="alone")
    rows = [row.strip() for row in cells.text() if row.strip()]
    assert [{each for each in row if each.isalpha()} for row in rows] == [{each} for each in "fedcba"]
    assert all(row.count(letter) >= 3 for row, letter in zip(rows, "fedcba", strict=True))
    assert len({row.replace(letter, "")[:40] for row, letter in zip(rows, "fedcba", strict=True)}) == 6
    plain = Cells(80, 24)
    draw_plot(plain, box, Viewport(0, 100, 0, 7), curves, BRAILLE, fill="tint")
    assert all(sum(each.isalpha() for each in row) <= 1 for row in plain.text())


def test_a_legend_names_all_runs_as_long_as_there_is_room_for_the_names() -> None:
    entries = [LegendEntry(letter, f"rank {n}", "1.204", "first") for n, letter in enumerate("abcde")]
    high, flat, tiny = Cells(80, 20), Cells(58, 5), Cells(30, 4)
    for cells in (high, flat, tiny):
        draw_legend(cells, Box(0, 0, cells.width, cells.height), entries)
    assert [row.split() for row in high.text()[:5]] == [[e.letter, *e.name.split(), e.value] for e in entries]
    assert all(entry.words(named=True).strip() in "\n".join(flat.text()) for entry in entries)
    assert all(f"{entry.letter} {entry.value}" in "\n".join(tiny.text()) for entry in entries)


async def test_five_other_runs_stand_in_the_legend_of_a_small_terminal(
    make_app: Callable[..., TunedeckApp], tmp_path: Path
) -> None:
    folders = [make_run(tmp_path, steps=20 + n) for n in range(6)]
    for n, folder in enumerate(folders):
        folder.write_job({**folder.read_job(), "name": f"support rank {2**n}"})
    app = make_app("train", run=folders[0].path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, PickMenu))
        await pilot.press("enter", *["down", "enter"] * 3, "down", "ctrl+t", "escape")
        await until(
            pilot, lambda: app.screen is screen and len({curve.letter for curve in screen.charts.chart.curves}) == 6
        )
        shown = [f"{letter} rank {n}" for letter, n in zip("abcde", (32, 16, 8, 4, 2), strict=True)]
        await until(pilot, lambda: all(words in "".join(text_of(screen.charts.chart)) for words in shown))
        assert "e rank 2 (pinned)" in "".join(text_of(screen.charts.chart))


async def test_six_compared_runs_are_named_in_legend_and_columns(
    make_app: Callable[..., TunedeckApp], tmp_path: Path
) -> None:
    for n in range(6):
        folder = make_run(tmp_path, steps=20, state="finished", ended=1.0)
        folder.write_job({**folder.read_job(), "name": f"support rank {n + 1}"})
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and len(app.screen._runs) == 6)
        await pilot.press(*["space"] * 6, "v")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        chart, rows = app.screen.query_one(Chart), app.screen.query_one(Table)
        names = [f"{letter} rank {n}" for letter, n in zip("ABCDEF", (6, 5, 4, 3, 2, 1), strict=True)]
        await until(pilot, lambda: all(name in "".join(text_of(chart)) for name in names))
        assert all(name in text_of(rows)[0] for name in names)


def test_a_theme_that_names_no_chart_colors_has_those_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tunedeck" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(
        'name = "mine"\nprimary = "#ff0000"\ndark = false\n[variables]\nborder = "#000000"\n'
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    themes, faults = load_themes()
    mine = next(theme for theme in themes if theme.name == "mine")
    light = next(theme for theme in themes if theme.name == "light")
    assert not faults
    assert mine.variables == {**light.variables, "border": "#000000"}
    assert read_theme(folder / "mine.toml").variables == {"border": "#000000"}
