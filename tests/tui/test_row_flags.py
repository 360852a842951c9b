"""The packed flags of rows: as a dictionary would have them, in a tenth of its memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.checks import Flag
from tui.data.row_flags import RowFlags

FLAGS = st.builds(
    Flag,
    st.sampled_from([f"check_{number}" for number in range(70)]),
    st.sampled_from(("", "why", "\ud800 \x00 \n", "重")),
    st.none() | st.integers(0, 2**40),
    st.sampled_from(("error", "warning", "note")),
    st.none() | st.floats(0, 1),
)
CHANGES = st.lists(st.tuples(st.sampled_from((0, 1, 63, 64, 700, 2**33)), st.lists(FLAGS, max_size=3)), max_size=30)


@settings(max_examples=150, deadline=None)
@given(CHANGES, CHANGES)
def test_flags_are_those_of_a_dictionary(
    changes: list[tuple[int, list[Flag]]], more: list[tuple[int, list[Flag]]]
) -> None:
    made: list[tuple[RowFlags, dict[int, tuple[Flag, ...]]]] = []
    with patch("tui.data.row_flags._KEPT", 3):
        for some in (changes, more):
            found, expected = RowFlags(), dict[int, tuple[Flag, ...]]()
            for row, flags in some:
                found[row] = tuple(flags)
                expected[row] = tuple(flags)
                if not flags:
                    del expected[row]
            assert found == expected
            assert list(found) == sorted(expected)
            assert len(found) == len(expected)
            assert [row in found for row in (0, 1, 2, 64, 2**33)] == [row in expected for row in (0, 1, 2, 64, 2**33)]
            assert found.names == Counter(name for each in expected.values() for name in {flag.name for flag in each})
            for name in found.names:
                rows = [row for row in sorted(expected) if any(flag.name == name for flag in expected[row])]
                assert list(found.rows_of(name)) == rows
            assert found.repeats == sum(any(flag.of is not None for flag in each) for each in expected.values())
            made.append((found, expected))
    (one, mine), (other, theirs) = made
    assert one.count_with(other) == len(mine.keys() | theirs.keys())


def test_a_flag_that_very_many_rows_have_costs_some_bytes_a_row_and_one_of_its_own_little_more() -> None:
    def bytes_a_row(rows: int, different: int) -> float:
        flags = RowFlags()
        before = tracemalloc.get_traced_memory()[0]
        for row in range(rows):
            number = row % different
            flags[row] = (Flag("same_template", f"same text as row {number:,} with other numbers", number, "note"),)
        return (tracemalloc.get_traced_memory()[0] - before) / rows

    tracemalloc.start()
    try:
        assert bytes_a_row(60_000, 997) < 24
        assert bytes_a_row(60_000, 60_000) < 160
    finally:
        tracemalloc.stop()
