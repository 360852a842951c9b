"""Held-out pairs of a CPO or SimPO run: its rewards depend on the loss type."""

from __future__ import annotations

import math
from typing import Any

from core.evaluation import answer_pairs
from core.evaluation.answer_pairs import Answered, AnsweredPairs, per_token
from core.recipe.recipe import Recipe

measure, words, findings = answer_pairs.measure, answer_pairs.words, answer_pairs.findings

_PER_TOKEN = ("ipo", "simpo", "alphapo")
"""Loss types that compare mean log-probabilities."""
_LARGEST = 700.0
"""The exponential of more is not finite."""


def summary(base: AnsweredPairs | None, tuned: AnsweredPairs | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement."""
    cpo = recipe.cpo

    def reward(answer: Answered) -> float:
        value = per_token(answer) if cpo.loss_type in _PER_TOKEN else answer[0]
        if cpo.alpha:
            value = (1 - math.exp(min(-cpo.alpha * value, _LARGEST))) / cpo.alpha
        return cpo.beta * value

    return answer_pairs.summary(base, tuned, reward)
