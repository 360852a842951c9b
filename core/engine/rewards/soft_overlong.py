"""TRL's penalty that grows before the max completion length (DAPO)."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """TRL's own function, 0 to -1; its weight scales it."""
    from trl.rewards import get_soft_overlong_punishment

    length = setting.recipe.rollouts.max_completion_length
    function = get_soft_overlong_punishment(max_completion_len=length, soft_punish_cache=min(reward.margin, length))

    def score(batch: Completions) -> list[Score]:
        found: list[Score] = function(list(batch.ids))
        return found

    return score
