"""Whether a recorded run shows what it was spoiled for: measures of their own, simpler than the rules they prove.

A run that took its ill-treatment well proves nothing; it is recorded again from another seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Numbers = Sequence[float]


def shows(kind: str, records: Sequence[dict[str, Any]]) -> bool:
    """Whether a run's records show what its kind is named after."""
    values = [float(value) for record in records for key, value in record.items() if key != "step"]
    if kind == "not_finite":
        return not all(map(math.isfinite, values))
    losses, evals, norms = (
        [float(record[key]) for record in records if key in record and math.isfinite(float(record[key]))]
        for key in ("loss", "eval_loss", "grad_norm")
    )
    return _SHOWS[kind](losses, evals, norms)


def _healthy(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return evals[-1] < 1.01 * min(evals) and evals[-1] < 0.5 * evals[0]


def _diverging(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return max(evals) > 1.2 * evals[0] and evals[-1] > 0.9 * evals[0]


def _oscillating(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    rises = sum(later > 1.05 * earlier for earlier, later in pairwise(evals[1:]))
    return rises >= 2 and evals[-1] < 0.8 * evals[0]


def _overfitting(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    best = evals.index(min(evals)) / len(evals)
    then = statistics.fmean(losses[round(best * len(losses)) :][:8])
    return min(evals[-2:]) > 1.025 * min(evals) and statistics.fmean(losses[-8:]) < 0.7 * then


def _memorized(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return statistics.fmean(losses[-8:]) < 0.1


def _not_learning(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return abs(evals[-1] - evals[0]) < 0.003 * evals[0]


def _masked(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return statistics.median(losses[:30]) < 0.02


def _plateau(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    last = evals[len(evals) // 2 :]
    return max(last) < 1.05 * min(last) and statistics.fmean(last[-2:]) > 0.975 * statistics.fmean(last[:2])


def _spikes(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return sum(norm > 5 * statistics.median(norms) for norm in norms[12:]) >= 4


def _hardly_moves(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return evals[-1] > 0.993 * evals[0]


def _float32_weights(losses: Numbers, evals: Numbers, norms: Numbers) -> bool:
    return evals[-1] < 0.98 * evals[0]


_SHOWS: dict[str, Callable[[Numbers, Numbers, Numbers], bool]] = {
    "healthy": _healthy,
    "diverging": _diverging,
    "oscillating": _oscillating,
    "overfitting": _overfitting,
    "memorized": _memorized,
    "not_learning": _not_learning,
    "masked": _masked,
    "plateau": _plateau,
    "spikes": _spikes,
    "hardly_moves": _hardly_moves,
    "float32_weights": _float32_weights,
}
