"""How many good and bad answers there are for KTO, and which weights make up for an unequal number."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.recipe import Recipe
from core.recipe.values import number_text

_LEAST, _MOST = 1.0, 1.33
"""Good to bad answers, each times its weight: KTO, arXiv 2402.01306, equation 8."""


@dataclass(frozen=True, slots=True)
class RatingBalance:
    """The answers of a dataset.

    Attributes:
        good: how many are good.
        bad: how many are bad.
    """

    good: int
    bad: int

    def problem(self, recipe: Recipe) -> str:
        """What is wrong with the weights of a recipe for these answers, and what to set; "" where they fit."""
        counted = f"{self.good:,} good and {self.bad:,} bad answers"
        if not self.good or not self.bad:
            lacking = "bad" if self.good else "good"
            return f"{counted}: without {lacking} ones there is nothing to compare. Add some, or set the task to sft."
        kto = recipe.kto
        good, bad = self.good * kto.desirable_weight, self.bad * kto.undesirable_weight
        if not _LEAST <= round(good / bad, 2) <= _MOST:
            return (
                f"{counted} are {number_text(round(good / bad, 2))}:1 with these weights; KTO works best between 1:1 "
                f"and 4:3. Set {self._field(good, bad)}."
            )
        return ""

    def _field(self, good: float, bad: float) -> str:
        """The weight to raise: of whatever there is less of."""
        if good > bad:
            low, high = good / self.bad / _MOST, good / self.bad
            return f"kto.undesirable_weight to {_between(low, high)}"
        low, high = bad / self.good, bad / self.good * _MOST
        return f"kto.desirable_weight to {_between(low, high)}"

    def words(self, recipe: Recipe) -> str:
        """The answers and their weighted ratio, where the weights fit."""
        ratio = self.good * recipe.kto.desirable_weight / (self.bad * recipe.kto.undesirable_weight)
        return f"{self.good:,} good and {self.bad:,} bad answers, {number_text(round(ratio, 2))}:1 with their weights."


def _between(low: float, high: float) -> str:
    return f"{number_text(float(f'{low:.3g}'))} to {number_text(float(f'{high:.3g}'))}"
