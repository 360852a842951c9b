"""1 where a pattern is found in the answer."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.engine.rewards.matching import search_of
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """Looks for the pattern."""
    search = search_of(reward.pattern)

    def score(batch: Completions) -> list[Score]:
        return [float(search(text) is not None) for text in batch.texts]

    return score
