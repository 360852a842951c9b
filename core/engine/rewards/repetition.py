"""TRL's penalty for n-grams that come again."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """TRL's own function, 0 to -1; its weight scales it."""
    from trl.rewards import get_repetition_penalty_reward

    function = get_repetition_penalty_reward(ngram_size=reward.ngram, max_penalty=-1.0)

    def score(batch: Completions) -> list[Score]:
        found: list[Score] = function(list(batch.ids))
        return found

    return score
