"""Held-out pairs of an ORPO run: its rewards are mean log-probabilities of the answers."""

from __future__ import annotations

from typing import Any

from core.evaluation import answer_pairs
from core.evaluation.answer_pairs import AnsweredPairs, per_token
from core.recipe.recipe import Recipe

measure, words, findings = answer_pairs.measure, answer_pairs.words, answer_pairs.findings


def summary(base: AnsweredPairs | None, tuned: AnsweredPairs | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement."""
    return answer_pairs.summary(base, tuned, lambda answer: recipe.orpo.beta * per_token(answer))
