"""Runs of online training: rewards that are learned, and runs that are spoiled in one way each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from core.recipe.sections.rewards import RewardEntry
from tests.curves.cases import Case

_COMMA = RewardEntry(kind="regex", name="comma", pattern=",")
_BRIEF = RewardEntry(kind="length", name="brief", min_tokens=6, max_tokens=24)
_NO_E = RewardEntry(kind="regex", name="without_e", pattern=r"\A[^eE]*\Z", weight=3.0)
_THE = RewardEntry(kind="regex", name="the", pattern=r"(?i)\bthe\b")
_SHORT = RewardEntry(kind="length", name="short", max_tokens=2)
_LONG = RewardEntry(kind="length", name="long", min_tokens=48)

_RATES = (2e-3, 3e-3)
"""Learning rates at which the tiny base learns from rewards."""


def generated_cases(seed: int, spoiled_seed: int, each: int) -> Iterator[Case]:
    """Runs of GRPO, and good ones of RLOO.

    Args:
        seed: where the seeds of good runs begin.
        spoiled_seed: where those of spoiled runs begin.
        each: runs of each kind.
    """
    for number in range(each):
        for task in ("grpo", "rloo"):
            own = seed + number
            rate = random.Random(f"{task}-{own}").choice(_RATES)
            good = {**_common(task, own), "rewards": (_COMMA, _BRIEF), "training.learning_rate": rate}
            yield Case(f"{task}_healthy", number, good)
        spoiled = _common("grpo", spoiled_seed + number)
        fast = {**spoiled, "training.learning_rate": _RATES[-1]}
        yield Case("grpo_hacked", number, {**fast, "rewards": (_NO_E, _THE)})
        yield Case("grpo_collapsed", number, {**fast, "rewards": (_SHORT,)})
        yield Case("grpo_never_ending", number, {**fast, "rewards": (_LONG,)})
        far = {"training.learning_rate": 3e-2, "grpo.beta": 1e-4, "training.max_grad_norm": 0.0}
        yield Case("grpo_far", number, {**spoiled, **far, "rewards": (_COMMA, _BRIEF)})


def _common(task: str, seed: int) -> dict[str, Any]:
    pick = random.Random(f"{task}-common-{seed}")
    return {
        "task": task,
        "training.seed": seed,
        "training.eval_every": 0.0,
        "training.max_steps": pick.choice((48, 56)),
        "training.batch_size": 16,
        "training.scheduler": pick.choice(("linear", "constant_with_warmup")),
        "data.max_length": 96,
        "lora.rank": 8,
        "rollouts.num_generations": 8,
        "rollouts.max_completion_length": 48,
    }
