"""Reward models: one score for a whole conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import pair, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script around `trl.RewardTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed
    from trl import RewardConfig, RewardTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="SEQ_CLS", modules_to_save=["score"])
    options = dict(given.options)
    whole = options.pop("whole", False)
    set_seed(7)
    return RewardTrainer(
        model=AutoModelForSequenceClassification.from_pretrained(given.model, dtype=torch.float32, num_labels=1),
        args=RewardConfig(**{**given.arguments, "max_length": 64, "center_rewards_coefficient": 0.01, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def _pairs(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Pairs of which the last is too long, so that TRL drops it."""
    samples = [pair(number) for number in numbers]
    samples[-1]["messages"][0]["content"] *= 3
    return samples


def _evaluated(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """The comparison after a run measures what the trainer's last evaluation measured, and generates nothing."""
    import pytest

    from core.runs.artifacts import read_adapter
    from core.runs.scores import read_comparison

    done = work(warm, "core.evaluation", folder.path)
    assert done.returncode == 0, done.stderr
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert comparison.answers == ()
    last = [line for line in plain if "eval_loss" in line][-1]
    assert comparison.reward_accuracy == last["eval_accuracy"]
    assert comparison.reward_margin == pytest.approx(last["eval_margin"], rel=1e-3)
    assert "8 held-out pairs" in comparison.reward_words
    assert not comparison.writes
    if read_adapter(folder.path) is not None:
        done = work(warm, "tests.kit.exported_code", folder.path)
        assert done.returncode == 0, done.stderr
        score, merged = map(float, done.stdout.split()[-2:])
        assert merged == pytest.approx(score, abs=5e-3)  # merged in 16 bits, as the base is stored


_REWARD = Case(
    "reward",
    plain,
    {"task": "reward", "reward__center": 0.01},
    _pairs(range(27)),
    [pair(number) for number in range(60, 68)],
    logged=("accuracy", "margin", "mean_reward", "grad_norm"),
    eval_logged=("eval_accuracy",),
    ranks=True,
    finished=_evaluated,
)

CASES = (
    _REWARD,
    Case(
        "reward-full",
        plain,
        {**_REWARD.changes, "method": "full"},
        _REWARD.train,
        _REWARD.held_out,
        logged=_REWARD.logged,
        options={"whole": True},
        soak=True,
        ranks=True,
        finished=_evaluated,
    ),
)
