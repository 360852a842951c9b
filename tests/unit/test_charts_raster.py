"""Known points give known cells."""

from __future__ import annotations

from math import nan

import pytest

from tui.charts.bar import draw_bar
from tui.charts.cells import Cells
from tui.charts.glyphs import ASCII, BLOCK, BRAILLE, Glyphs, glyphs_for
from tui.charts.plot import Box, Curve, draw_plot
from tui.charts.raster import Dots, Trace, Viewport
from tui.charts.series import Series


def series_of(*points: tuple[float, float]) -> Series:
    series = Series()
    for x, y in points:
        series.append(x, y)
    return series


@pytest.mark.parametrize(
    ("column", "top", "bottom", "glyphs"),
    [
        (0, 0, 0, "⠁  "),
        (1, 3, 3, "⢀  "),
        (0, 0, 3, "⡇  "),
        (3, 0, 3, " ⢸ "),
        (4, -5, 99, "  ⡇"),
        (0, 2, 1, "   "),
    ],
)
def test_dots_set_braille_bits(column: int, top: int, bottom: int, glyphs: str) -> None:
    dots = Dots(3, 1)
    dots.fill(column, top, bottom)
    assert "".join(BRAILLE.dots[mask] for mask in dots.masks).replace("\u2800", " ") == glyphs


def test_dots_fill_over_several_cells() -> None:
    dots = Dots(1, 3)
    dots.fill(0, 2, 9)
    assert [BRAILLE.dots[mask] for mask in dots.masks] == ["⡄", "⡇", "⠃"]


def test_view_puts_bounds_on_the_outer_rows_and_columns() -> None:
    view = Viewport(0, 100, 0, 10)
    row = view.rows(40)
    assert (row(10), row(0)) == (0, 39)
    assert (view.column(0, 50), view.column(99.9, 50), view.column(100, 50)) == (0, 49, 49)
    log = Viewport(0, 1, 0.01, 100, log=True).rows(41)
    assert (log(100), log(1), log(0.01)) == (0, 20, 40)


def test_a_line_joins_sparse_values_without_holes() -> None:
    spans = Trace(series_of((0, 0), (9, 9)), Viewport(0, 9, 0, 9), 10, 10, means=True).spans
    assert [span and span[0] for span in spans] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_neighboring_columns_touch_across_a_jump() -> None:
    spans = Trace(series_of((0, 0), (1, 9)), Viewport(0, 1, 0, 9), 2, 10, means=True).spans
    assert spans == [(5, 9), (0, 4)]


def test_nan_is_a_gap() -> None:
    spans = Trace(series_of((0, 5), (2, 5), (4, nan), (6, 5), (8, 5)), Viewport(0, 9, 0, 9), 10, 10, means=True).spans
    assert [column for column, span in enumerate(spans) if span is None] == [3, 4, 5, 9]


def test_a_band_reaches_from_smallest_to_largest() -> None:
    spans = Trace(series_of((0, 2), (0.1, 8), (0.2, 5)), Viewport(0, 10, 0, 9), 10, 10, means=False).spans
    assert spans[0] == (1, 7)


def test_zoomed_in_lines_come_from_and_go_to_what_lies_outside() -> None:
    series = series_of((0, 0), (100, 100))
    spans = Trace(series, Viewport(40, 60, 0, 100), 20, 101, means=True).spans
    assert None not in spans
    assert spans[10] is not None
    assert abs(spans[10][0] - 50) <= 5


def test_marks_and_lines_lie_on_a_tinted_band() -> None:
    series = series_of(*((step / 100, step % 10) for step in range(1000)))
    flat = series_of((0, 5), (10, 5))
    cells = Cells(20, 8)
    curves = [Curve("", series, "band", "band"), Curve("", flat, "line", "first")]
    draw_plot(cells, Box(0, 0, 20, 8), Viewport(0, 10, 0, 9), curves, BRAILLE, fill="tint")
    styles = {style for row in cells.styles for style in row}
    assert {"fill", "first+fill"} <= styles
    draw_plot(cells, Box(0, 0, 20, 8), Viewport(0, 10, 0, 9), curves, BRAILLE, fill="alone")
    assert "░" in "".join(cells.text())


@pytest.mark.parametrize(("glyphs", "mark"), [(BRAILLE, "⣶"), (BLOCK, "■"), (ASCII, "o")])
def test_values_of_a_sparse_series_are_marked(glyphs: Glyphs, mark: str) -> None:
    cells = Cells(20, 5)
    curve = Curve("eval", series_of((2, 5), (8, 5), (9, nan)), "marked", "second")
    draw_plot(cells, Box(0, 0, 20, 5), Viewport(0, 10, 0, 10), [curve], glyphs, fill="tint")
    assert [x for x, glyph in enumerate(cells.glyphs[2]) if glyph == mark] == [4, 16]


def test_other_glyphs_keep_to_their_alphabet() -> None:
    assert set("".join(BLOCK.dots)) <= set(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")
    assert all(glyph.isascii() for glyph in ASCII.dots)
    assert BLOCK.dots[0xFF] == "█"
    assert ASCII.dots[0x01] == "'"


@pytest.mark.parametrize(
    ("environment", "codeset", "name"),
    [
        ({}, "ascii", "ascii"),
        ({}, "iso8859-1", "ascii"),
        ({}, "utf-8", "braille"),
        ({"TERM": "linux"}, "utf-8", "block"),
        ({"TUNEDECK_GLYPHS": "braille"}, "ascii", "braille"),
        ({"TUNEDECK_GLYPHS": "ascii"}, "utf-8", "ascii"),
    ],
)
def test_glyphs_follow_the_terminal(environment: dict[str, str], codeset: str, name: str) -> None:
    assert glyphs_for(environment, codeset).name == name


@pytest.mark.parametrize(
    ("share", "more", "bar"),
    [(0, 0, "········"), (1, 0, "████████"), (0.5, 0.25, "████░░··"), (0.53, 0, "████▎···"), (0.5, 0.01, "████░···")],
)
def test_bars_tell_their_parts_by_shape(share: float, more: float, bar: str) -> None:
    cells = Cells(8, 1)
    draw_bar(cells, BRAILLE, 0, 0, 8, share, "own", more=more)
    assert cells.text() == [bar]


def test_changes_name_the_cells_that_differ() -> None:
    old, new = Cells(40, 3), Cells(40, 3)
    new.put(2, 1, "ab", "text")
    new.put(30, 1, "c", "text")
    new.put(0, 2, " ", "other")
    assert new.changes(old) == [(1, 2, 4), (1, 30, 31), (2, 0, 1)]


def test_changes_near_each_other_are_sent_together() -> None:
    old, new = Cells(40, 1), Cells(40, 1)
    new.put(2, 0, "a", "text")
    new.put(9, 0, "b", "text")
    assert new.changes(old) == [(0, 2, 10)]


def test_a_change_never_cuts_a_wide_glyph() -> None:
    old, new = Cells(10, 1), Cells(10, 1)
    old.put(3, 0, "日本", "text")
    new.put(3, 0, "日x", "text")
    assert new.changes(old) == [(0, 5, 7)]
    assert "".join(text for text, _ in new.runs(0)) == "   日x    "


def test_text_is_cut_at_the_edge_and_half_a_wide_glyph_is_left_out() -> None:
    cells = Cells(4, 1)
    assert cells.put(1, 0, "日本", "text") == 3
    assert cells.text() == [" 日 "]
    assert cells.put(-1, 0, "abc", "text") == 2
    assert cells.put(0, 5, "abc", "text") == 0
