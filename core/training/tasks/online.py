"""What TRL's online trainers have in common: how completions are generated and scored."""

from __future__ import annotations

from typing import Any

from core.engine.load import Hardware
from core.engine.rewards import RewardSetting, names_of, reward_functions
from core.engine.worker import Worker
from core.recipe.generation import eval_generations
from core.recipe.recipe import Recipe
from core.runs.reward_files import with_kept_files
from core.training.completions import CompletionLog

LACKS = frozenset(("max_length",))
"""Their configurations have no length of a whole sample; prompts that are too long are dropped."""


def settings(recipe: Recipe) -> dict[str, Any]:
    """What both `GRPOConfig` and `RLOOConfig` take."""
    rollouts = recipe.rollouts
    return {
        "num_generations": rollouts.num_generations,
        "num_generations_eval": eval_generations(recipe),
        "max_completion_length": rollouts.max_completion_length,
        "steps_per_generation": rollouts.steps_per_generation or None,
        "num_iterations": rollouts.num_iterations,
        "temperature": rollouts.temperature,
        "top_p": rollouts.top_p,
        "top_k": rollouts.top_k,
        "min_p": rollouts.min_p or None,
        "repetition_penalty": rollouts.repetition_penalty,
        "mask_truncated_completions": rollouts.mask_truncated_completions,
        "reward_weights": [reward.weight for reward in recipe.rewards],
        # The reference of a model that is trained whole is loaded by TRL, from the same place.
        "model_init_kwargs": {"revision": recipe.model.revision} if recipe.model.revision else None,
        "trust_remote_code": recipe.model.trust_remote_code,
    }


def companions(worker: Worker, recipe: Recipe, on: Hardware) -> dict[str, Any]:
    """The rewards, and what keeps completions.

    Raises:
        BadInput: a reward cannot be computed here.
        NotAgreed: a Python file needs the user's yes first.
    """
    setting = RewardSetting(with_kept_files(recipe, worker.folder.path), on.device)
    log = CompletionLog(
        worker, names_of(recipe.rewards), [each.weight for each in recipe.rewards], recipe.rollouts.keep_completions
    )
    return {"rewards": reward_functions(setting), "setting": setting, "completions": log}
