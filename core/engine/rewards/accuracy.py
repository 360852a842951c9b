"""TRL's own rewards for mathematics: accuracy, accuracy of what follows the thinking, accuracy scaled by length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """TRL's function of the kind, with the references as its `solution`."""
    from trl.rewards import accuracy_reward, get_cosine_scaled_reward, reasoning_accuracy_reward

    functions: dict[str, Callable[..., list[Score]]] = {
        "accuracy": accuracy_reward,
        "reasoning_accuracy": reasoning_accuracy_reward,
        "cosine_length": get_cosine_scaled_reward(max_len=setting.recipe.rollouts.max_completion_length),
    }
    function = functions[reward.kind]

    def score(batch: Completions) -> list[Score]:
        turns: list[Any] = [[{"role": "assistant", "content": text}] for text in batch.texts]
        return function(completions=turns, solution=batch.references(reward), completion_ids=list(batch.ids))

    return score
