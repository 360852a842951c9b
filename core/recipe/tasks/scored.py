"""A reward model: one score for a whole conversation, higher for the chosen answer of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.tasks.task import EVAL_LOSS, LOSS, Headline, Limit, Task, TaskMemory

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def _memory(recipe: Recipe) -> TaskMemory:
    return TaskMemory(heads=0)


REWARD = Task(
    name="reward",
    meaning="a reward model: learns from preference pairs to score answers; it does not write text",
    title="reward model",
    module="scored",
    samples=("preference",),
    wants="preference pairs: a prompt with a chosen and a rejected answer",
    sections=("reward",),
    encoder="scored_pairs",
    measure="scored_pairs",
    columns={"chosen_ids": "tokens", "rejected_ids": "tokens"},
    metrics={
        "accuracy": "accuracy",
        "margin": "margin",
        "mean_reward": "mean reward",
        "min_reward": "lowest reward",
        "max_reward": "highest reward",
    },
    headline=Headline(LOSS, EVAL_LOSS, "lower", "reward loss", "", per_token=False),
    # TRL's RewardConfig and example scripts: 1e-4 for adapters, 1e-5 for all weights.
    rates={"lora": (5e-5, 2e-4), "full": (5e-6, 2e-5)},
    artifact="text-classification",
    writes=False,
    head="score",
    sequences=2,
    dropout=False,
    memory=_memory,
    supports=("training.activation_offloading",),
    scores={"accuracy": "higher", "margin": "higher"},
    answers={"chosen": "scored higher", "rejected": "scored lower"},
    refuses=(
        Limit(
            "data.packing",
            "A reward model scores whole conversations and cannot pack them. Set packing to none.",
            accepts=("none",),
        ),
        Limit(
            "data.loss_on",
            "A reward model scores whole conversations, so this setting does not apply. Set it to answers.",
            accepts=("answers",),
        ),
        Limit(
            "training.group_by_length",
            "A reward model cannot group batches by length because each sample is a pair. Set this to no.",
            accepts=(False,),
        ),
    ),
)
