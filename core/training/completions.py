"""Completions of a run, kept for whoever reads them: the best and the worst of each generation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.engine.rewards import text_of
from core.engine.worker import Worker

_LONGEST = 4_000
"""Characters of a prompt or a completion that are kept."""


class CompletionLog:
    """Writes completions of rank 0. What an abandoned step generated is void once it is generated again.

    Args:
        worker: the job's folder.
        names: of the rewards, in order.
        weights: of the rewards, in order.
        most: completions of each generation that are kept.
    """

    def __init__(self, worker: Worker, names: Sequence[str], weights: Sequence[float], most: int) -> None:
        self._worker = worker
        self._names, self._weights = list(names), list(weights)
        self._most = most
        self._unscored = 0

    def add(
        self,
        *,
        step: int,
        held_out: bool,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        lengths: Sequence[int],
        answers: Sequence[str | None],
        scores: Sequence[Sequence[float]],
    ) -> None:
        """Adds a generation: the best and the worst of it."""
        totals = [self._total(of_each) for of_each in scores]
        none = totals.count(None)
        if none and not self._unscored:
            words = f"{none:,} of {len(totals):,} completions got no score from any reward and are not trained on."
            self._worker.event("alert", words, step=step)
        self._unscored += none
        if not self._most:
            return
        scored = sorted((-total, place) for place, total in enumerate(totals) if total is not None)
        order = [place for _, place in scored]
        best = (self._most + 1) // 2
        kept = order if len(order) <= self._most else order[:best] + order[len(order) - (self._most - best) :]
        lines = [
            {
                "reward": totals[place],
                "scores": {name: _plain(score) for name, score in zip(self._names, scores[place], strict=True)},
                "prompt": _prompt(prompts[place]),
                "completion": _cut(text_of(completions[place])),
                "tokens": lengths[place],
                **({"answer": _cut(answer)} if (answer := answers[place]) else {}),
            }
            for place in kept
        ]
        self._worker.completions({"step": step, "held_out": held_out, "of": len(totals), "completions": lines})

    def _total(self, scores: Sequence[float]) -> float | None:
        given = [(score, weight) for score, weight in zip(scores, self._weights, strict=True) if not math.isnan(score)]
        return sum(score * weight for score, weight in given) if given else None


def _plain(score: float) -> float | None:
    return None if math.isnan(score) else round(score, 6)


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, str):
        return _cut(prompt)
    return _cut(str(prompt[-1].get("content") or "")) if prompt else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
