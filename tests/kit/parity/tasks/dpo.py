"""DPO: every pair against the base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import pair, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script around `trl.DPOTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    options = dict(given.options)
    whole = options.pop("whole", False)
    return DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=DPOConfig(**{**given.arguments, "max_length": 64, "beta": 0.2, "loss_type": ["sigmoid"], **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def _pairs(numbers: Sequence[int], longest: int) -> list[dict[str, Any]]:
    """Pairs of which one is cut; the prompt of the last alone fills the max length, so that TRL drops it."""
    samples = [pair(number) for number in numbers]
    samples[3]["messages"][0]["content"] *= 2
    if longest:
        samples[-1]["messages"][0]["content"] *= longest
    return samples


def _evaluated(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """The comparison after a run measures what the trainer's last evaluation measured."""
    import pytest

    from core.runs.scores import read_comparison

    assert (folder.adapter / "adapter_model.safetensors").exists()
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert len(comparison.answers) == 4
    measured = [line for line in plain if "eval_loss" in line][-1]
    assert comparison.reward_accuracy == measured["eval_rewards/accuracies"]
    assert comparison.reward_margin == pytest.approx(measured["eval_rewards/margins"], rel=1e-3)
    assert "8 held-out pairs" in comparison.reward_words


_DPO = Case(
    "dpo",
    plain,
    {"task": "dpo", "dpo__beta": 0.2},
    _pairs([*range(26), 50], 8),
    _pairs(range(60, 68), 0),
    logged=("rewards/accuracies", "rewards/margins", "grad_norm"),
    eval_logged=("eval_rewards/accuracies",),
    ranks=True,
    script=True,
    finished=_evaluated,
)

CASES = (
    _DPO,
    Case(
        "dpo-full",  # with a reference model beside it
        plain,
        {**_DPO.changes, "method": "full"},
        _DPO.train,
        _DPO.held_out,
        logged=_DPO.logged,
        options={"whole": True},
        soak=True,
        ranks=True,
    ),
)
