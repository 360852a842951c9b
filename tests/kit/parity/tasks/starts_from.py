"""Runs that start from an adapter: it is trained further, and preference tasks compare with it, not with the base."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import lines, pair, talk, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script that gives `trl.DPOTrainer` the adapter, trainable."""
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    base = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32)
    return DPOTrainer(
        model=PeftModel.from_pretrained(base, given.models["starts_from"], is_trainable=True),
        args=DPOConfig(**{**given.arguments, "max_length": 64, "beta": 0.2}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
    )


def supervised(given: Given) -> Any:
    """A plain script that gives `trl.SFTTrainer` the adapter, trainable."""
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    base = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32)
    return SFTTrainer(
        model=PeftModel.from_pretrained(base, given.models["starts_from"], is_trainable=True),
        args=SFTConfig(**{**given.arguments, "max_length": 64, "assistant_only_loss": True}),
        train_dataset=Dataset.from_list([{"messages": each["messages"]} for each in given.train]),
        eval_dataset=Dataset.from_list([{"messages": each["messages"]} for each in given.held_out]),
        processing_class=AutoTokenizer.from_pretrained(given.model),
    )


def _reference(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """Policy and reference are one model at the start, not the base; nothing of the copy is left at the end."""
    import pytest

    from core.runs.origin import started
    from core.runs.scores import read_comparison

    first = next(line for line in lines(folder.metrics) if "eval_loss" in line)
    assert first["eval_rewards/chosen"] == first["eval_rewards/rejected"] == 0
    last = [line for line in plain if "eval_loss" in line][-1]
    assert last["eval_rewards/margins"] > 0
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert comparison.reward_accuracy == last["eval_rewards/accuracies"], "measured against what the run began with"
    assert comparison.reward_margin == pytest.approx(last["eval_rewards/margins"], rel=1e-3)
    begun = started(folder.path)
    assert begun is not None
    assert begun.kind == "adapter"
    assert not (folder.adapter / "ref").exists()
    assert "Started from: " in (folder.adapter / "README.md").read_text()
    source = Path(folder.read_job()["payload"]["recipe"]["starts_from"])
    assert source.is_dir()
    shutil.rmtree(source)
    assert (folder.path / "start" / "adapter_model.safetensors").stat().st_size > 10_000


_ADAPTER = {"starts_from": "tests.kit.tiny_adapter"}

CASES = (
    Case(
        "dpo-from-an-adapter",
        plain,
        {"task": "dpo", "dpo__beta": 0.2},
        [pair(number) for number in range(24)],
        [pair(number) for number in range(60, 68)],
        logged=("rewards/margins",),
        eval_logged=("eval_rewards/chosen",),
        models=_ADAPTER,
        ranks=True,
        expressed=False,
        finished=_reference,
    ),
    Case(
        "sft-from-an-adapter",
        supervised,
        {"lora__dropout": 0.0},  # the recipe's counts, and the adapter was saved without
        [talk(number) for number in range(24)],
        [talk(number) for number in range(60, 68)],
        models=_ADAPTER,
        soak=True,
        expressed=False,
    ),
)
