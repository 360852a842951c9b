"""How far reviewers who read the same rows agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from core.dataset.audit.decisions import DecisionState, RowVerdict


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree.

    Attributes:
        first: the name of one.
        second: the name of the other.
        both: rows that both decided on.
        same: of these, rows that both decided alike.
        kappa: Cohen's kappa, None where it is not defined.
    """

    first: str
    second: str
    both: int
    same: int
    kappa: float | None

    @property
    def words(self) -> str:
        """As `ada and bob agree on 92 of 100 rows, kappa 0.78`."""
        kappa = "kappa undefined (all verdicts are the same)" if self.kappa is None else f"kappa {self.kappa:.2f}"
        many = f"{self.same:,} of {self.both:,} row{'s' * (self.both != 1)}"
        return f"{self.first} and {self.second} agree on {many}, {kappa}"


def cohens_kappa(pairs: Iterable[tuple[str, str]]) -> float | None:
    """Agreement of two reviewers beyond what chance would give: 1 is perfect, 0 is chance, less is worse than chance.

    As J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960):
    (p_o - p_e) / (1 - p_e), with p_o the share of rows decided alike and p_e the share that reviewers who decide at
    random, each with their own frequencies, would decide alike.

    Args:
        pairs: for each row, what one decided and what the other decided.

    Returns:
        The coefficient; None where there are no rows, or where both decided the same about every row (p_e is 1).
    """
    counted = Counter(pairs)
    rows = counted.total()
    if not rows:
        return None
    firsts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for (first, second), number in counted.items():
        firsts[first] += number
        seconds[second] += number
    observed = sum(number for (first, second), number in counted.items() if first == second) / rows
    chance = sum(firsts[each] * seconds[each] for each in firsts) / rows**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


def agreements(states: Iterable[DecisionState]) -> Iterator[Agreement]:
    """How far each two reviewers agree on the rows that they read independently, by name.

    Args:
        states: of rows; those that nobody decided without seeing the verdicts of others are passed over.
    """
    pairs: dict[tuple[str, str], list[tuple[RowVerdict, RowVerdict]]] = {}
    for state in states:
        if state.blind:
            for (first, one), (second, other) in combinations(sorted(state.verdicts), 2):
                pairs.setdefault((first, second), []).append((one, other))
    for (first, second), found in sorted(pairs.items()):
        same = sum(one == other for one, other in found)
        yield Agreement(first, second, len(found), same, cohens_kappa(found))
