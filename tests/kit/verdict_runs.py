"""Made-up courses of runs for the edges of the verdict's rules; real ones are in `tests/curves`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import Any

from core.verdict import VerdictJudge, VerdictKind

RECIPE: dict[str, Any] = {
    "training": {"learning_rate": 2e-4, "warmup": 0.0, "epochs": 3.0, "scheduler": "constant_with_warmup"},
}
NOISE = 0.1


def falling(step: int) -> float:
    """A train loss as a fine-tuning of a large model has it: quickly from 2 to 1.2, then slowly on."""
    return 1.0 + 0.8 * math.exp(-step / 30) + 0.2 * math.exp(-step / 400)


def course(
    steps: int,
    loss: Callable[[int], float] = falling,
    *,
    eval_loss: Callable[[int], float] | None = None,
    every: int = 20,
    norm: Callable[[int], float] = lambda step: 1.0,
    rate: Callable[[int], float] = lambda step: 2e-4,
    epochs: float = 0.9,
    noise: float = NOISE,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Records of a run as the worker writes them; noise is that of one batch, and the same for the same seed."""
    chance = random.Random(seed)
    records: list[dict[str, Any]] = [] if eval_loss is None else [{"step": 0, "eval_loss": eval_loss(0)}]
    for step in range(1, steps + 1):
        records.append(
            {
                "t": 1_000.0 + step,
                "step": step,
                "loss": loss(step) + chance.gauss(0, noise),
                "grad_norm": norm(step) * math.exp(chance.gauss(0, 0.15)),
                "learning_rate": rate(step),
                "epoch": epochs * step / steps,
            }
        )
        if eval_loss is not None and step % every == 0:
            records.append({"step": step, "eval_loss": eval_loss(step), "epoch": epochs * step / steps})
    return records


def judged(records: Iterable[dict[str, Any]], steps: int | None = None, **recipe: Any) -> VerdictJudge:
    """A judge who has seen these records."""
    judge = VerdictJudge({**RECIPE, **recipe}, steps)
    judge.add(records)
    return judge


def kinds(records: Iterable[dict[str, Any]], steps: int | None = None, **recipe: Any) -> list[tuple[int, VerdictKind]]:
    """Every change of the verdict while the records come in one by one: the step, and what it was from there on."""
    judge = VerdictJudge({**RECIPE, **recipe}, steps)
    changes: list[tuple[int, VerdictKind]] = []
    for record in records:
        judge.add([record])
        kind = judge.verdict().kind
        if not changes or changes[-1][1] is not kind:
            changes.append((record["step"], kind))
    return changes
