"""The words two texts share: right, as many as can be, and found in bounded time."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest

from core.dataset.word_diff import common_words


def shared(first: list[str], second: list[str]) -> int:
    """How many words the runs hold, after checking that they are what they say."""
    at = (0, 0)
    total = 0
    for a, b, length in common_words(first, second):
        assert (a, b) >= at
        assert a >= at[0]
        assert b >= at[1]
        assert length
        assert first[a : a + length] == second[b : b + length]
        at = (a + length, b + length)
        total += length
    return total


def longest_common(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for one in first:
        before = 0
        for at, other in enumerate(second, 1):
            before, row[at] = row[at], before + 1 if one == other else max(row[at], row[at - 1])
    return row[-1]


@pytest.mark.parametrize(
    ("first", "second", "runs"),
    [
        ("", "", []),
        ("a", "", []),
        ("a b c", "a b c", [(0, 0, 3)]),
        ("a b c", "x y", []),
        ("a b c d", "a c d", [(0, 0, 1), (2, 1, 2)]),
        ("the cat sat", "the dog sat", [(0, 0, 1), (2, 2, 1)]),
        ("b c", "a b c d", [(0, 1, 2)]),
    ],
)
def test_runs_are_the_equal_words_in_order(first: str, second: str, runs: list[tuple[int, int, int]]) -> None:
    assert common_words(first.split(), second.split()) == runs


def test_the_edit_is_the_shortest_one() -> None:
    made = random.Random(1)
    for _ in range(300):
        first = [made.choice("abcd") for _ in range(made.randrange(12))]
        second = [made.choice("abcd") for _ in range(made.randrange(12))]
        assert shared(first, second) == longest_common(first, second)


def test_long_texts_that_differ_in_many_places_are_divided() -> None:
    made = random.Random(2)
    first = [f"w{made.randrange(4_000)}" for _ in range(20_000)]
    second = list(first)
    for _ in range(2_000):
        second[made.randrange(len(second))] = "other"
    assert shared(first, second) >= 0.99 * sum(one == other for one, other in zip(first, second, strict=True))
    small = SequenceMatcher(None, first[:500], second[:500], autojunk=False)
    assert shared(first[:500], second[:500]) >= sum(block.size for block in small.get_matching_blocks())


def test_unlike_texts_share_the_longest_common_subsequence() -> None:
    made = random.Random(3)
    first, second = ([f"w{made.randrange(300)}" for _ in range(900)] for _ in range(2))
    assert shared(first, second) == longest_common(first, second) > 50


def test_texts_longer_than_a_window_are_compared_to_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.dataset.word_diff._WINDOW", 50)
    first = [f"w{number}" for number in range(1_000)]
    second = [word if number % 10 else "other" for number, word in enumerate(first)]
    assert shared(["x", *first, "y"], ["z", *second, "v"]) == 900
    assert shared(["a"] * 400, ["b"] * 500) == 0
