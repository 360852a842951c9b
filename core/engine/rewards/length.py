"""1 for an answer of the wanted length, less the further it is outside."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.errors import BadInput
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """The share of `min_tokens` that a shorter answer has; of one too long, `max_tokens` as a share of its own.

    Raises:
        BadInput: no length is wanted.
    """
    least, most = reward.min_tokens, reward.max_tokens
    if not least and not most:
        raise BadInput("The reward length has neither min_tokens nor max_tokens", where="rewards", do="Set one of them")

    def one(length: int) -> float:
        if length < least:
            return length / least
        return most / length if most and length > most else 1.0

    def score(batch: Completions) -> list[Score]:
        return [one(len(ids)) for ids in batch.ids]

    return score
