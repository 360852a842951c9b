"""A task that is judged by a reward, as online training will be, and what its runs log."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.recipe.tasks import SFT, TASKS, Headline

REWARD = replace(
    SFT, name="reward", headline=Headline("reward", "eval_reward", "higher", "reward", "", per_token=False)
)


def add_reward_task(patch: pytest.MonkeyPatch) -> None:
    """Let there be such a task."""
    patch.setitem(TASKS, REWARD.name, REWARD)  # type: ignore[arg-type]


def rising(step: int) -> float:
    """A reward of 0 to 1 as answers come to be right: slowly at first, then quicker, then level."""
    return 0.1 + 0.7 / (1 + math.exp(-(step - 120) / 35))


def rewarded(
    steps: int,
    reward: Callable[[int], float] = rising,
    *,
    eval_reward: Callable[[int], float] | None = None,
    noise: float = 0.06,
    norm: Callable[[int], float] = lambda step: 0.3,
    rate: float = 1e-5,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Records as `trl.GRPOTrainer` logs them: a loss around 0, whatever is learned, and the reward of the batch."""
    chance = random.Random(seed)
    records: list[dict[str, Any]] = []
    if eval_reward is not None:
        records.append({"step": 0, "eval_loss": 0.0, "eval_reward": eval_reward(0)})
    for step in range(1, steps + 1):
        records.append(
            {
                "t": 1_000.0 + step,
                "step": step,
                "loss": chance.gauss(0, 0.002),
                "grad_norm": norm(step) * math.exp(chance.gauss(0, 0.2)),
                "learning_rate": rate,
                "reward": reward(step) + chance.gauss(0, noise),
                "reward_std": 0.3,
                "epoch": 0.9 * step / steps,
            }
        )
        if eval_reward is not None and step % 20 == 0:
            value = eval_reward(step) + chance.gauss(0, noise / 4)
            records.append({"step": step, "eval_loss": 0.0, "eval_reward": value, "epoch": 0.9 * step / steps})
    return records
