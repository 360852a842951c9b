"""KTO: rated answers, and pairs as two of them, against the base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import pair, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script around `trl.KTOTrainer`; it trains in the order of the file, so the file is shuffled first."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import KTOConfig, KTOTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        found = []
        for each in samples:
            if each["kind"] == "kto":
                found.append({"prompt": each["messages"], "completion": each["chosen"], "label": each["label"]})
            else:
                found.append({"prompt": each["messages"], "completion": each["chosen"], "label": True})
                found.append({"prompt": each["messages"], "completion": each["rejected"], "label": False})
        return Dataset.from_list(found).shuffle(seed=7)

    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    options = dict(given.options)
    whole = options.pop("whole", False)
    return KTOTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=KTOConfig(**{**given.arguments, "max_length": 64, "beta": 0.2, "desirable_weight": 1.2, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def rated(number: int) -> dict[str, Any]:
    """A rated answer in the normal form; every third is a bad one."""
    sample, good = pair(number), number % 3 > 0
    answer = sample["chosen"] if good else sample["rejected"]
    return {"kind": "kto", "messages": sample["messages"], "chosen": answer, "label": good}


def _rated(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Rated answers of which one is cut."""
    samples = [rated(number) for number in numbers]
    samples[3]["messages"][0]["content"] *= 2
    return samples


def _evaluated(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """The comparison after a run measures what the trainer's last evaluation measured."""
    import pytest

    from core.runs.scores import read_comparison

    assert (folder.adapter / "adapter_model.safetensors").exists()
    done = work(warm, "core.evaluation", folder.path)
    assert done.returncode == 0, done.stderr
    comparison = read_comparison(folder.path)
    assert comparison is not None
    measured = [line for line in plain if "eval_loss" in line][-1]
    assert comparison.reward_margin == pytest.approx(_margin(measured), rel=1e-3)
    assert "8 held-out" in comparison.reward_words


def _margin(line: Mapping[str, Any]) -> float:
    return float(line["eval_rewards/chosen"] - line["eval_rewards/rejected"])


_KTO = Case(
    "kto",
    plain,
    {"task": "kto", "kto__beta": 0.2, "kto__desirable_weight": 1.2, "training__eval_batch_size": 8},
    _rated(range(26)),
    _rated(range(60, 68)),
    logged=("rewards/chosen", "kl", "grad_norm"),
    eval_logged=("eval_rewards/margins",),
    options={"per_device_eval_batch_size": 8},
    ordered=False,
    falls=False,
    ranks=True,
    each_rank={"training__batch_size": 2, "training__gradient_accumulation": 1},
    finished=_evaluated,
)

CASES = (
    _KTO,
    Case(
        "kto-apo_zero_unpaired",
        plain,
        {**_KTO.changes, "kto__loss_type": "apo_zero_unpaired"},
        _KTO.train,
        _KTO.held_out,
        logged=_KTO.logged,
        options={**_KTO.options, "loss_type": "apo_zero_unpaired"},
        ordered=False,
        falls=False,
        soak=True,
        ranks=True,
        each_rank=_KTO.each_rank,
    ),
    Case(
        "kto-pairs",
        plain,
        _KTO.changes,
        [pair(number) for number in range(13)],
        [pair(number) for number in range(60, 64)],
        logged=_KTO.logged,
        options=_KTO.options,
        tokens=False,
        falls=False,
        soak=True,
        expressed=False,
    ),
    Case(
        "kto-full",  # with a reference model beside it
        plain,
        {**_KTO.changes, "method": "full"},
        _KTO.train,
        _KTO.held_out,
        logged=_KTO.logged,
        options={**_KTO.options, "whole": True},
        ordered=False,
        falls=False,
        soak=True,
        ranks=True,
        each_rank=_KTO.each_rank,
    ),
)
