"""1 where the answer equals the reference, ignoring surrounding white space."""

from __future__ import annotations

from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.engine.rewards.matching import search_of
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """Compares what the pattern picks out of answer and reference, or all of both without one."""
    search = search_of(reward.pattern) if reward.pattern else None

    def picked(text: str) -> str | None:
        if search is None:
            return text.strip()
        found = search(text)
        if found is None:
            return None
        group = found.group(1) if found.re.groups else found.group()
        return (group or "").strip()

    def score(batch: Completions) -> list[Score]:
        scores: list[Score] = []
        for text, reference in zip(batch.texts, batch.references(reward), strict=True):
            wanted, given = picked(reference), picked(text)
            if wanted is None:
                wanted = reference.strip()  # a reference that is the bare result
            scores.append(float(given == wanted))
        return scores

    return score
