"""A plot that is drawn on from where it was shows what a plot drawn whole shows."""

from __future__ import annotations

import random
from math import nan

import pytest

from tui.charts.cells import Cells
from tui.charts.glyphs import BLOCK, BRAILLE, Glyphs
from tui.charts.layer import Layer
from tui.charts.plot import Box, Curve, Fill, draw_plot
from tui.charts.raster import Trace, Viewport
from tui.charts.series import Series

BOX = Box(3, 1, 30, 8)


def grow(series: Series, chance: random.Random) -> None:
    """Some values more; now and then one that is not finite, a pause, or a step back."""
    at = series.x[-1] if len(series) else 0.0
    for _ in range(chance.choice((0, 1, 1, 2, 12))):
        at += chance.choice((0, 0.1, 0.1, 1, 1, 15))
        if chance.random() < 0.03:
            at = max(0.0, at - 20)
        series.append(at, nan if chance.random() < 0.06 else chance.uniform(-1, 11))


@pytest.mark.parametrize("seed", range(40))
def test_dots_that_are_followed_are_those_that_are_found_at_once(seed: int) -> None:
    chance = random.Random(seed)
    series = Series(chance.choice((40, 10_000)))
    view = Viewport(chance.choice((0, 20)), 100, 0.5, 10, chance.random() < 0.3)
    means = chance.random() < 0.5
    trace = Trace(series, view, 60, 32, means=means)
    kept = 0
    for _ in range(30):
        before = list(trace.spans)
        grow(series, chance)
        trace.follow()
        assert trace.spans == Trace(series, view, 60, 32, means=means).spans
        assert trace.spans[: trace.first] == before[: trace.first], "what is left of `first` stays"
        kept += trace.first > 0
    assert kept > 5, "most looks find the dots of the last columns alone"


@pytest.mark.parametrize(("glyphs", "fill"), [(BRAILLE, "tint"), (BRAILLE, "alone"), (BLOCK, "shade")])
@pytest.mark.parametrize("seed", range(8))
def test_a_layer_that_is_drawn_on_shows_what_a_whole_plot_shows(seed: int, glyphs: Glyphs, fill: Fill) -> None:
    chance = random.Random(seed)
    train, evaluated = Series(), Series()
    curves = [
        Curve("train", train, "band", "band"),
        Curve("avg", train, "line", "first"),
        Curve("eval", evaluated, "marked", "second"),
    ]
    ground = Cells(36, 10)
    ground.put(3, 4, "·" * 30, "grid")
    layer = Layer()
    for number in range(40):
        grow(train, chance)
        if number % 3 == 0:
            grow(evaluated, chance)
        view = Viewport(0, 100 if number < 30 else 120, 0, 10)
        drawn = layer.draw(ground, BOX, view, curves, glyphs, fill=fill)
        whole = Cells(36, 10)
        whole.lay(ground)
        draw_plot(whole, BOX, view, curves, glyphs, fill=fill)
        assert (drawn.glyphs, drawn.styles) == (whole.glyphs, whole.styles)


def test_another_ground_other_curves_and_letters_are_drawn_whole() -> None:
    series = Series()
    series.extend([1, 2, 3], [1, 5, 2])
    layer, view = Layer(), Viewport(0, 10, 0, 10)
    plain, letter = Curve("a", series, "line", "first"), Curve("b", series, "line", "third", letter="B")
    for text, curve in (("one", plain), ("two", plain), ("two", letter), ("two", letter)):
        ground = Cells(36, 10)
        ground.put(25, 0, text, "label")
        drawn = layer.draw(ground, BOX, view, [curve], BRAILLE, fill="tint")
        whole = Cells(36, 10)
        whole.lay(ground)
        draw_plot(whole, BOX, view, [curve], BRAILLE, fill="tint")
        assert (drawn.glyphs, drawn.styles) == (whole.glyphs, whole.styles)
        series.append(series.x[-1] + 1, 4)
