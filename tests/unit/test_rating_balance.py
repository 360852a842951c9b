"""The weights of good and bad answers: what is said of unequal numbers, with the values that help."""

from __future__ import annotations

import re

import pytest

from core.recipe.rating_balance import RatingBalance
from core.recipe.recipe import Recipe, put


def _weighed(good: float = 1.0, bad: float = 1.0) -> Recipe:
    return put(put(Recipe(), "kto.desirable_weight", good), "kto.undesirable_weight", bad)


@pytest.mark.parametrize(("good", "bad"), [(100, 100), (400, 301), (133, 100)])
def test_what_is_between_one_to_one_and_four_to_three_is_fine(good: int, bad: int) -> None:
    assert RatingBalance(good, bad).problem(_weighed()) == ""


@pytest.mark.parametrize(
    ("good", "bad", "field", "low", "high"),
    [(900, 300, "undesirable_weight", 2.26, 3.0), (100, 300, "desirable_weight", 3.0, 3.99)],
)
def test_the_weights_that_are_named_solve_it(good: int, bad: int, field: str, low: float, high: float) -> None:
    balance = RatingBalance(good, bad)
    problem = balance.problem(_weighed())
    assert f"kto.{field}" in problem
    named = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", problem.partition("_weight to ")[2])]
    assert named == [low, high]
    for value in named:
        assert balance.problem(put(_weighed(), f"kto.{field}", value)) == ""


def test_answers_of_one_kind_alone_have_nothing_to_be_compared_with() -> None:
    assert "without bad" in RatingBalance(3, 0).problem(_weighed())
    assert "without good" in RatingBalance(0, 3).problem(_weighed())
    assert "1.5:1" in RatingBalance(150, 100).problem(_weighed())
    assert RatingBalance(150, 100).problem(_weighed(bad=1.3)) == ""
    assert "1.15:1" in RatingBalance(150, 100).words(_weighed(bad=1.3))
