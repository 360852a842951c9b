"""TRL's reward for one block of thinking and an answer after it."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """TRL's own function."""
    from trl.rewards import think_format_reward

    def score(batch: Completions) -> list[Score]:
        found: list[Score] = think_format_reward([[{"content": text}] for text in batch.texts])
        return found

    return score
