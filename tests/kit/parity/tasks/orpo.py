"""ORPO: pairs without a reference model, in one stage with SFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import pair, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script around `trl.experimental.orpo.ORPOTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    options = dict(given.options)
    whole = options.pop("whole", False)
    return ORPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=ORPOConfig(**{**given.arguments, "max_length": 64, "beta": 0.2, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def pairs(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Pairs of which one is cut."""
    samples = [pair(number) for number in numbers]
    samples[3]["messages"][0]["content"] *= 2
    return samples


def evaluated(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """The comparison after a run measures what the trainer's first and last evaluation measured."""
    import pytest

    from core.runs.scores import read_comparison

    assert (folder.adapter / "adapter_model.safetensors").exists()
    done = work(warm, "core.evaluation", folder.path)
    assert done.returncode == 0, done.stderr
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert len(comparison.answers) == 4
    first, *_, last = (line for line in plain if "eval_loss" in line)
    assert comparison.base_accuracy == first["eval_rewards/accuracies"]
    assert comparison.reward_accuracy == last["eval_rewards/accuracies"]
    assert comparison.reward_margin == pytest.approx(last["eval_rewards/margins"], rel=1e-3)
    assert "8 held-out pairs" in comparison.reward_words


_ORPO = Case(
    "orpo",
    plain,
    {"task": "orpo", "orpo__beta": 0.2},
    pairs(range(26)),
    pairs(range(60, 68)),
    logged=("rewards/accuracies", "log_odds_ratio", "nll_loss", "grad_norm"),
    eval_logged=("eval_rewards/accuracies",),
    varies=("num_tokens",),
    ranks=True,
    finished=evaluated,
)

CASES = (
    _ORPO,
    Case(
        "orpo-full",
        plain,
        {**_ORPO.changes, "method": "full"},
        _ORPO.train,
        _ORPO.held_out,
        logged=_ORPO.logged,
        options={"whole": True},
        varies=_ORPO.varies,
        soak=True,
        ranks=True,
    ),
)
