"""A function in a Python file of the user's: in its own process, and only the very file that the user has allowed."""

from __future__ import annotations

from core.engine.rewards import RewardSetting, Scorer
from core.engine.rewards.child import ScoringProcess
from core.jobs.trust import refuse_without_yes
from core.recipe.asks import read_reward_file
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """Starts the process; what it runs is what was read here, whatever becomes of the file.

    Raises:
        NotAgreed: the user has not said yes to this file as it is now.
        BadInput: it cannot be read, it raises, or it has no such function.
    """
    source, ask = read_reward_file(reward.file)
    refuse_without_yes([ask])
    process = ScoringProcess(
        source,
        name=reward.file,
        function=reward.function,
        seconds=reward.timeout,
        memory=reward.memory,
        tick=setting.look,
    )
    process.start()
    return process.score
