"""GRPO and RLOO against plain TRL; the stop lies where completions are left that were generated before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.recipe.sections.rewards import RewardEntry
from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import talk


def _prompt(number: int) -> dict[str, Any]:
    sample = talk(number)
    return {**sample, "columns": {"wanted": sample["messages"][0]["content"].split()[5]}}


def plain(given: Given) -> Any:
    """The trainer as a user of TRL builds it, with reward functions of the user's own."""
    import re

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
    from trl.rewards import get_repetition_penalty_reward

    def rows(samples: Any) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"][:1], "wanted": each["columns"]["wanted"]} for each in samples]
        )

    def regex(completions: Any, **_: Any) -> list[float]:
        return [float(bool(re.search("[aeiou]{2}", each[0]["content"]))) for each in completions]

    def length(completion_ids: Any, **_: Any) -> list[float]:
        return [min(len(ids), 14) / 14 for ids in completion_ids]

    def exact_match(completions: Any, wanted: Any, **_: Any) -> list[float]:
        return [
            float(each[0]["content"].strip() == word.strip()) for each, word in zip(completions, wanted, strict=True)
        ]

    repetition = get_repetition_penalty_reward(ngram_size=2, max_penalty=-1.0)
    repetition.__name__ = "repetition"
    kinds = {"grpo": (GRPOConfig, GRPOTrainer), "rloo": (RLOOConfig, RLOOTrainer)}
    config, trainer = kinds[given.options["task"]]
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    return trainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        reward_funcs=[regex, length, exact_match, repetition],
        args=config(
            **{
                **given.arguments,
                "num_generations": 2,
                "max_completion_length": 16,
                "steps_per_generation": 4,
                "num_iterations": 2,
                "reward_weights": [1.0, 0.5, 1.0, 0.25],
                **given.options["arguments"],
            }
        ),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if given.options.get("full") else lora,
    )


_REWARDS = (
    RewardEntry("regex", 1.0, pattern="[aeiou]{2}"),
    RewardEntry("length", 0.5, min_tokens=14),
    RewardEntry("exact_match", 1.0, column="wanted"),
    RewardEntry("repetition", 0.25, ngram=2),
)


_EACH_STEP = {"steps_per_generation": 2, "num_iterations": 1}
_OURS_EACH_STEP = {"rollouts__steps_per_generation": 0, "rollouts__num_iterations": 1}


def _case(
    name: str,
    task: str,
    arguments: dict[str, Any],
    *,
    full: bool = False,
    disturbed: Mapping[str, str] | None = None,
    **settings: Any,
) -> Case:
    changes = {
        "task": task,
        "rewards": _REWARDS,
        "rollouts__num_generations": 2,
        "rollouts__max_completion_length": 16,
        "rollouts__steps_per_generation": 4,
        "rollouts__num_iterations": 2,
        **({"method": "full"} if full else {}),
        **settings,
    }
    return Case(
        name=name,
        plain=plain,
        changes=changes,
        train=[_prompt(number) for number in range(10)],
        held_out=[_prompt(number) for number in range(20, 23)],
        logged=("grad_norm", "reward", "rewards/regex/mean", "rewards/exact_match/mean", "completions/mean_length"),
        eval_logged=("eval_reward", "eval_rewards/length/mean"),
        options={"task": task, "arguments": arguments, "full": full},
        tokens=False,
        falls=False,
        expressed=False,
        soak=name not in ("grpo", "rloo"),
        ranks=name in ("grpo", "rloo"),
        disturbed=disturbed or {},
    )


CASES = [
    _case("grpo", "grpo", {"beta": 0.04}, grpo__beta=0.04),
    _case("rloo", "rloo", _EACH_STEP, disturbed={"DISTURB_TOKEN": "7"}, **_OURS_EACH_STEP),
    _case("rloo, completions kept for several steps", "rloo", {}),
    *(
        _case(f"grpo {loss}", "grpo", {"loss_type": loss}, grpo__loss_type=loss)
        for loss in ("grpo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo")
    ),
    _case(
        "grpo, every weight, with a reference",
        "grpo",
        {"beta": 0.04, "learning_rate": 1e-4},
        full=True,
        grpo__beta=0.04,
        training__learning_rate=1e-4,
    ),
    _case(
        "grpo, masked and cut",
        "grpo",
        {
            "mask_truncated_completions": True,
            "top_entropy_quantile": 0.5,
            "scale_rewards": "batch",
            "epsilon_high": 0.28,
            "entropy_coef": 0.001,
            "importance_sampling_level": "sequence",
            "temperature": 1.3,
            "top_k": 20,
        },
        rollouts__mask_truncated_completions=True,
        rollouts__temperature=1.3,
        rollouts__top_k=20,
        grpo__top_entropy_quantile=0.5,
        grpo__scale_rewards="batch",
        grpo__epsilon_high=0.28,
        grpo__entropy_coef=0.001,
        grpo__importance_sampling_level="sequence",
    ),
    _case(
        "rloo, normalized and clipped",
        "rloo",
        {"normalize_advantages": True, "reward_clip_range": (-0.8, 0.8)},
        rloo__normalize_advantages=True,
        rloo__reward_clip=0.8,
    ),
]
