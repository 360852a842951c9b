"""Series: what is drawn of a million points is what all of them say."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.charts.series import Series
from tui.charts.smooth import Smoothed

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([nan, inf, -inf])


def series_of(values: list[float]) -> Series:
    series = Series()
    for step, value in enumerate(values, start=1):
        series.append(step, value)
    return series


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=30), st.integers(1, 90), st.data())
def test_bins_equal_brute_force(pattern: list[float], repeats: int, data: st.DataObject) -> None:
    values = pattern * repeats
    series = series_of(values[: len(values) // 2])
    series.bounds(0, len(series))  # the first half is in bins before the second arrives
    for value in values[len(values) // 2 :]:
        series.append(len(series) + 1, value)
    first = data.draw(st.integers(0, len(values)))
    end = data.draw(st.integers(first, len(values)))
    finite = [value for value in values[first:end] if isfinite(value)]
    bounds, mean = series.bounds(first, end), series.mean(first, end)
    assert bool(bounds.size) == bool(mean.size) == bool(finite)
    if finite:
        assert (bounds.lo, bounds.hi) == (min(finite), max(finite))
        assert mean.lo == pytest.approx(sum(finite) / len(finite), rel=1e-9, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=400), st.integers(1, 40), st.integers(0, 400))
def test_columns_that_grow_equal_columns_drawn_anew(values: list[float], number: int, half: int) -> None:
    grown = series_of(values[:half])
    grown.columns(0, 400, number)
    for value in values[half:]:
        grown.append(len(grown) + 1, value)
    assert grown.columns(0, 400, number) == series_of(values).columns(0, 400, number)


@pytest.mark.parametrize(("values", "number"), [(1000, 7), (20_000, 7), (20_000, 60), (50_000, 3)])
def test_columns_cover_every_value_once(values: int, number: int) -> None:
    series = series_of([float(n) for n in range(1, values + 1)])
    columns = series.columns(1, values, number)
    assert sum(column.size for column in columns) == values
    assert (columns[0].lo, columns[-1].hi) == (1, values)
    assert all(left.hi < right.lo for left, right in pairwise(columns))


def test_columns_of_many_values_that_grow_equal_columns_drawn_anew() -> None:
    values = [float(n * 7919 % 1009) for n in range(30_000)]
    grown = series_of(values[:9_000])
    for end in range(9_000, 30_000, 777):
        grown.extend(range(len(grown) + 1, end + 1), values[len(grown) : end])
        assert grown.columns(0, 30_000, 20) == series_of(values[:end]).columns(0, 30_000, 20)


@pytest.mark.parametrize("back_to", [1, 31, 32, 33, 700, 1023, 1024, 1025, 1999])
def test_a_run_that_went_back_to_a_checkpoint_forgets_what_came_after(back_to: int) -> None:
    series = series_of([float(n % 97) for n in range(2000)])
    series.bounds(0, 2000)
    series.append(back_to, 500.0)
    assert list(series.x) == [*range(1, back_to), back_to]
    assert series.bounds(0, len(series)).hi == 500.0
    again = series_of([*(float(n % 97) for n in range(back_to - 1)), 500.0])
    assert series.bounds(0, back_to) == again.bounds(0, back_to)


def test_values_that_are_not_finite_are_kept_but_never_bounds() -> None:
    series = series_of([1.0, nan, 3.0, inf])
    assert isnan(series.y[1])
    assert series.last == inf
    assert list(series.not_finite) == [2, 4]
    assert series.bounds(0, 4)[:2] == (1.0, 3.0)
    assert series.broken(1.5, 2.5)
    assert not series.broken(2.5, 4)


def test_the_average_begins_at_the_first_value_not_at_zero() -> None:
    source = series_of([4.0, 4.0, 4.0])
    smoothed = Smoothed(source, 10)
    smoothed.update()
    assert list(smoothed.series.y) == pytest.approx([4.0, 4.0, 4.0])


def test_the_average_is_the_mean_of_what_there_is_and_skips_nan() -> None:
    source = series_of([1.0, nan, 3.0])
    smoothed = Smoothed(source, 4)
    smoothed.update()
    assert smoothed.series.y[0] == 1.0
    assert isnan(smoothed.series.y[1])
    assert smoothed.series.y[2] == 2.0


def test_the_average_follows_a_series_that_grows_and_goes_back() -> None:
    source = series_of([5.0, 4.0, 3.0, 2.0])
    smoothed = Smoothed(source, 3)
    smoothed.update()
    for step, value in ((3, 9.0), (4, 8.0), (5, 7.0)):
        source.append(step, value)
    smoothed.update()
    fresh = Smoothed(series_of([5.0, 4.0, 9.0, 8.0, 7.0]), 3)
    fresh.update()
    assert list(smoothed.series.y) == list(fresh.series.y)


@given(st.lists(st.tuples(st.integers(0, 50), VALUES), max_size=60), st.integers(0, 60))
def test_many_at_once_are_as_one_by_one(points: list[tuple[int, float]], cut: int) -> None:
    single, batched = Series(), Series()
    for x, y in points:
        single.append(x, y)
    for part in (points[:cut], points[cut:]):
        batched.extend([x for x, _ in part], [y for _, y in part])
    assert list(batched.x) == list(single.x)
    assert repr(list(batched.y)) == repr(list(single.y))
    assert batched.not_finite == single.not_finite


def test_nearest_finds_the_closer_neighbor() -> None:
    series = series_of([0.0] * 10)
    assert [series.nearest(x) for x in (-5, 1.2, 1.8, 99)] == [0, 0, 1, 9]
    assert Series().nearest(3) is None


@settings(max_examples=80, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=300), st.integers(4, 40), st.integers(1, 60))
def test_a_bounded_series_keeps_to_its_limit_and_to_the_bounds(values: list[float], limit: int, piece: int) -> None:
    whole, bounded, single = Series(), Series(limit), Series(limit)
    for start in range(0, len(values), piece):
        part = values[start : start + piece]
        steps = range(start + 1, start + len(part) + 1)
        whole.extend(steps, part)
        bounded.extend(steps, part)
        for step, value in zip(steps, part, strict=True):
            single.append(step, value)
    assert len(bounded) <= limit
    assert bounded.taken == len(values)
    assert repr(bounded.last) == repr(values[-1])
    assert bounded.not_finite == whole.not_finite
    assert bounded.bounds(0, len(bounded))[:2] == whole.bounds(0, len(whole))[:2]
    assert single.bounds(0, len(single))[:2] == whole.bounds(0, len(whole))[:2]
    for first in range(0, len(values), 50):
        wide = whole.within(first, first + 50)
        found = bounded.within(first, first + 50 + bounded.scale)
        assert not wide.size or found.hi <= max(value for value in values if isfinite(value))


def test_a_bounded_series_of_a_million_values_takes_little_and_goes_back_to_a_checkpoint() -> None:
    series = Series(4096, 1024)
    for start in range(0, 1_000_000, 50_000):
        series.extend(range(start, start + 50_000), [float(step % 1000) for step in range(start, start + 50_000)])
    assert len(series) <= 1024
    assert series.taken == 1_000_000
    assert series.columns(0, 1_000_000, 10)[3][:2] == (0, 999)
    series.append(400_000, -5.0)
    assert series.last == -5
    assert series.x[-1] <= 400_000
    assert series.lowest() == (series.x[-1], -5)


def test_the_average_follows_a_series_that_was_made_shorter() -> None:
    source = Series(64)
    smoothed = Smoothed(source, 10)
    for step in range(1000):
        source.append(step, 2.0)
        smoothed.update()
    assert len(smoothed.series) == source.whole
    assert list(smoothed.series.y) == pytest.approx([2.0] * source.whole)
