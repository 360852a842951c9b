"""Axes: round ticks, bounds that stay."""

from __future__ import annotations

from itertools import combinations_with_replacement, pairwise
from math import inf, log10, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.charts.axis import (
    StableRange,
    grown_end,
    linear_bounds,
    linear_ticks,
    log_bounds,
    log_ticks,
)
from tui.charts.xaxis import STEPS
from tui.charts.xaxis import ticks as ticks_of_unit


@pytest.mark.parametrize(
    ("lo", "hi", "wanted", "labels"),
    [
        (0, 3, 3, ["0", "1", "2", "3"]),
        (0, 3.2, 6, ["0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]),
        (0, 3000, 3, ["0", "1,000", "2,000", "3,000"]),
        (0, 2e-4, 2, ["0", "1e-4", "2e-4"]),
        (0, 4e6, 4, ["0", "1e6", "2e6", "3e6", "4e6"]),
        (-1, 1, 4, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
    ],
)
def test_ticks_are_round_and_written_alike(lo: float, hi: float, wanted: int, labels: list[str]) -> None:
    assert [tick.label for tick in linear_ticks(lo, hi, wanted)] == labels


@pytest.mark.parametrize(
    ("lo", "hi", "labels"),
    [
        (0.5, 5, ["0.5", "1", "2", "5"]),
        (1e-5, 1e-1, ["1e-5", "1e-4", "0.001", "0.01", "0.1"]),
        (1, 20_000, ["1", "10", "100", "1,000", "10,000"]),
    ],
)
def test_logarithmic_ticks(lo: float, hi: float, labels: list[str]) -> None:
    assert [tick.label for tick in log_ticks(lo, hi, 5)] == labels


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_bounds_hold_the_data_and_are_mostly_filled_by_it(lo: float, span: float) -> None:
    low, high = linear_bounds(lo, lo + span)
    slack = span * 1e-4
    assert low <= lo + slack
    assert lo + span <= high + slack
    assert span >= 0.35 * (high - low)


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e6))
def test_logarithmic_bounds_hold_the_data(lo: float, factor: float) -> None:
    low, high = log_bounds(lo, lo * factor)
    assert 0 < low <= lo * 1.001
    assert lo * factor <= high * 1.001


def test_bounds_of_equal_values_have_room_around_them() -> None:
    for value in (2.5, -3.0):
        low, high = linear_bounds(value, value)
        assert low < value < high


def test_the_axis_begins_at_zero_where_the_data_comes_near_it() -> None:
    assert linear_bounds(0.8, 5.0)[0] == 0.0
    assert linear_bounds(0.0, 0.0)[0] == 0.0
    assert linear_bounds(0.9, 1.2)[0] >= 0.8


def test_bounds_do_not_move_while_the_data_stays_within() -> None:
    axis = StableRange()
    first = axis.update(0.8, 5.0)
    assert [axis.update(0.8 - n / 100, 5.0) for n in range(50)] == [first] * 50


def test_bounds_move_out_at_once_and_in_only_when_half_is_empty() -> None:
    axis = StableRange()
    _, high = axis.update(0.0, 4.0)
    assert axis.update(0.0, high + 1)[1] > high
    wide = axis.update(0.0, 10.0)
    assert axis.update(0.0, 8.0) == wide
    assert axis.update(0.0, 4.0)[1] < wide[1]


def test_a_falling_loss_moves_the_axis_seldom() -> None:
    axis = StableRange()
    seen = [axis.update(5 * 0.99**step, 5.0) for step in range(500)]
    assert sum(a != b for a, b in pairwise(seen)) <= 12


def test_not_finite_data_never_enters_the_bounds() -> None:
    axis = StableRange()
    assert axis.update(inf, -inf) == (0.0, 1.0)
    bounds = axis.update(1.0, 2.0)
    assert axis.update(inf, -inf) == bounds
    assert axis.update(nan, nan) == bounds


def test_the_kind_of_axis_changes_the_bounds() -> None:
    axis = StableRange()
    axis.update(0.01, 100.0)
    low, high = axis.update(0.01, 100.0, log=True)
    assert (log10(low), log10(high)) == pytest.approx((-2, 2))


def test_an_axis_without_known_end_grows_by_leaps() -> None:
    ends = [0.0]
    for step in range(1, 5001):
        ends.append(grown_end(ends[-1], step))
        assert ends[-1] >= step
    assert len(set(ends)) < 45


def test_bounds_of_any_data_are_apart_and_have_few_ticks() -> None:
    ends = (0.0, 5e-324, 1e-300, 0.693, 1.0, 1 + 2e-16, 1e17, 1e17 + 16, 1e100)
    for lo, hi in combinations_with_replacement(sorted({*ends, *(-end for end in ends)}), 2):
        for log in (False, hi > 0 and lo > 0):
            low, high = StableRange().update(lo, hi, log=log)
            assert low < high
            assert len((log_ticks if log else linear_ticks)(low, high, 4)) < 20


def test_an_axis_of_steps_counts_in_whole_numbers() -> None:
    assert [tick.label for tick in ticks_of_unit(0.0, 4.0, STEPS, 10)] == ["0", "1", "2", "3", "4"]
    assert [tick.label for tick in ticks_of_unit(0.0, 40_000.0, STEPS, 4)][-1] == "40,000"
