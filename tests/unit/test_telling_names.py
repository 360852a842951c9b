"""Runs that are shown together are named by what tells them apart."""

from __future__ import annotations

import pytest

from tui.telling_names import telling_names


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("support rank 8", "1"), ("support rank 16", "2")], ["rank 8", "rank 16"]),
        ([("support-r8-long", "1"), ("support-r16-long", "2")], ["r8", "r16"]),
        ([("tone", "1"), ("tone b", "2")], ["tone", "tone b"]),
        ([("tone", "2026-11-22-073141-tone"), ("tone", "2026-11-22-081511-tone")], ["07:31:41", "08:15:11"]),
        ([("tone", "2026-11-22-073141-tone"), ("tone", "2026-11-22-073141-tone-2")], ["tone", "tone-2"]),
        ([("tone \x1b[31m", "1")], ["tone ␛[31m"]),
    ],
)
def test_the_name_is_what_differs(runs: list[tuple[str, str]], expected: list[str]) -> None:
    assert telling_names(runs) == expected


def test_names_that_are_too_long_differ_at_their_ends() -> None:
    names = telling_names(
        [("tone", f"{day}-support-tone-of-voice{n}") for day, n in (("073141", ""), ("081511", "-2"))]
    )
    assert len(set(names)) == 2
    assert all(len(name) <= 18 for name in names)
