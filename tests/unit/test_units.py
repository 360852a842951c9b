"""Numbers as people read them."""

from __future__ import annotations

import pytest

from core import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.2, "8 s"), (185, "3 min 05 s"), (3840, "1 h 04 min"), (183_600, "2 d 03 h"), (-5, "0 s"), (59.7, "1 min 00 s")],
)
def test_durations_use_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.914, "0.914"),
        (0.003, "0.00300"),
        (0.9996, "1.00"),
        (99.96, "100"),
        (12.3456, "12.3"),
        (1.6e-4, "1.6e-4"),
        (0.0, "0"),
        (123_456.0, "1.2e5"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_measured_values_keep_their_significant_digits(value: float, text: str) -> None:
    assert units.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(950, "950"), (98_412, "98.4 k"), (1_840_000, "1.84 M"), (2.1e9, "2.10 B"), (0, "0")]
)
def test_short_counts_stay_short(value: float, text: str) -> None:
    assert units.short_count(value) == text


def test_sizes_use_the_unit_that_fits() -> None:
    assert [units.size(value) for value in (812, 1.6 * 2**20, 4.1 * 2**30)] == ["812 B", "1.6 MiB", "4.1 GiB"]
    assert units.gib(61.2 * 2**30) == "61.2 GiB"
    assert units.clock(2467) == "0:41:07"


def test_clock_and_duration_tell_the_same_time() -> None:
    """The live screen said 0:02:46 of a run that the list of runs said took 2 min 47 s."""
    assert (units.clock(166.6), units.duration(166.6)) == ("0:02:47", "2 min 47 s")


def test_a_share_is_rounded_down() -> None:
    assert [units.percent(share) for share in (0.0, 1 / 60, 0.29, 0.999, 1.0, 1.2)] == [
        "0%",
        "1%",
        "29%",
        "99%",
        "100%",
        "100%",
    ]
