"""Online training: the model writes the answers, rewards score them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.recipe.tasks.task import Headline, Limit, Task, TaskMemory

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def _memory(recipe: Recipe, beta: float) -> TaskMemory:
    """The completions that are generated at once, prompt and completion as one sequence, and reward models."""
    rollouts, training = recipe.rollouts, recipe.training
    return TaskMemory(
        length=recipe.data.max_length + rollouts.max_completion_length,
        beside=tuple(reward.model for reward in recipe.rewards if reward.model),
        reference=beta > 0,
        generated=training.batch_size * (rollouts.steps_per_generation or training.gradient_accumulation),
    )


LENGTHS = {
    "completions/mean_length": "completion tokens",
    "completions/clipped_ratio": "cut off",
    "completions/min_length": "shortest completion",
    "completions/max_length": "longest completion",
    "completions/mean_terminated_length": "finished: tokens",
    "completions/min_terminated_length": "finished: shortest",
    "completions/max_terminated_length": "finished: longest",
}
"""What is logged of completions, whatever judges them."""

_REWARDS = {
    "rewards/*/mean": "{} reward",
    "reward_std": "reward std",
    "frac_reward_zero_std": "prompts with equal rewards",
}
_COMMON: Mapping[str, Any] = {
    "samples": ("messages", "prompt", "text"),
    "encoder": "asked",
    "measure": "rewards",
    "columns": {"prompt_ids": "tokens", "row": "json"},
    "headline": Headline("reward", "eval_reward", "higher", "reward", "", per_token=False),
    "rates": {"lora": (1e-6, 5e-5), "full": (1e-7, 2e-6)},
    "generates": True,
}


def _limits(title: str) -> tuple[Limit, ...]:
    return (
        Limit(
            "data.packing", f"{title} generates its answers; prompts are not packed. Set packing to none.", ("none",)
        ),
        Limit(
            "data.loss_on",
            f"{title} trains on the answers that the model writes. Set this to answers.",
            accepts=("answers",),
        ),
        Limit(
            "data.chunk_text",
            f"{title} needs whole prompts. Set this to no; longer prompts are dropped.",
            accepts=(False,),
        ),
        Limit(
            "training.group_by_length",
            f"{title} groups the completions of a prompt. Set this to no.",
            accepts=(False,),
        ),
        Limit(
            "training.parallel",
            f"{title} generates with the whole model on each GPU, which fsdp cannot do here. Use ddp.",
            accepts=("ddp",),
        ),
    )


GRPO = Task(
    name="grpo",
    meaning="reinforcement learning: the model writes several answers to each prompt and learns from the ones "
    "that score above the rest",
    title="GRPO",
    module="grpo",
    wants="prompts, with or without answers; rewards can compare with the answers",
    sections=("rollouts", "grpo"),
    metrics={
        **_REWARDS,
        **LENGTHS,
        "kl": "KL to the base model",
        "entropy": "entropy",
        "clip_ratio/region_mean": "clipped tokens",
        "clip_ratio/low_mean": "clipped below",
        "clip_ratio/high_mean": "clipped above",
        "clip_ratio/low_min": "clipped below, min",
        "clip_ratio/high_max": "clipped above, max",
        "cispo_clip_ratio": "clipped weights",
        "vespo/phi_seq_mean": "sequence weight",
        "policy_loss": "loss without entropy bonus",
        "entropy_coef": "entropy bonus",
        "step_time": "seconds per step",
    },
    memory=lambda recipe: _memory(recipe, recipe.grpo.beta),
    refuses=_limits("GRPO"),
    **_COMMON,
)

RLOO = Task(
    name="rloo",
    meaning="reinforcement learning: each answer is compared with the mean of the other answers to its prompt; "
    "use it instead of PPO",
    title="RLOO",
    module="rloo",
    wants="prompts, with or without answers; rewards can compare with the answers",
    sections=("rollouts", "rloo"),
    metrics={
        **_REWARDS,
        **LENGTHS,
        "kl": "KL to the base model",
        "entropy": "entropy",
        "clip_ratio/region_mean": "clipped completions",
        "clip_ratio/low_mean": "clipped below",
        "clip_ratio/high_mean": "clipped above",
        "clip_ratio/low_min": "clipped below, min",
        "clip_ratio/high_max": "clipped above, max",
        "step_time": "seconds per step",
    },
    memory=lambda recipe: _memory(recipe, recipe.rloo.beta),
    refuses=_limits("RLOO"),
    **_COMMON,
)
