"""DPO: every pair against the base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.recipe.dpo_losses import LOSSES, SMOOTHED
from core.recipe.sections.dpo import DpoLoss
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


def _also(name: str, changes: Mapping[str, Any], **options: Any) -> Case:
    """Another loss or setting, in `make soak` only."""
    return replace(
        _DPO,
        name=f"dpo-{name}",
        changes={**_DPO.changes, **changes},
        options=options,
        falls=False,
        soak=True,
        ranks=False,
        finished=None,
    )


def _with_loss(loss: str) -> Case:
    smoothing = {"label_smoothing": 0.1} if loss in SMOOTHED else {}
    changes = {f"dpo__{name}": value for name, value in smoothing.items()}
    return _also(loss, {"dpo__loss_type": (DpoLoss(loss),), **changes}, loss_type=[loss], **smoothing)


_MPO = (DpoLoss("sigmoid", 0.8), DpoLoss("bco_pair", 0.2), DpoLoss("sft", 1.0))
_MOVING = {"sync_ref_model": True, "ref_model_sync_steps": 2, "ref_model_mixup_alpha": 0.5}

CASES = (
    _DPO,
    *(_with_loss(loss) for loss in LOSSES if loss != "sigmoid"),
    _also("mpo", {"dpo__loss_type": _MPO}, loss_type=["sigmoid", "bco_pair", "sft"], loss_weights=[0.8, 0.2, 1.0]),
    _also("js", {"dpo__f_divergence_type": "js_divergence"}, f_divergence_type="js_divergence"),
    _also(
        "alpha",
        {"dpo__f_divergence_type": "alpha_divergence", "dpo__f_alpha_divergence_coef": 0.3},
        f_divergence_type="alpha_divergence",
        f_alpha_divergence_coef=0.3,
    ),
    _also("ld", {"dpo__ld_alpha": 0.5}, ld_alpha=0.5),
    _also("wpo", {"dpo__use_weighting": True}, use_weighting=True),
    _also(
        "precomputed",
        {"dpo__precompute_ref_log_probs": True, "dpo__precompute_ref_batch_size": 3},
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=3,
    ),
    _also(
        "full-precomputed",
        {"method": "full", "dpo__precompute_ref_log_probs": True},
        whole=True,
        precompute_ref_log_probs=True,
    ),
    _also(
        "moving",
        {"method": "full", **{f"dpo__{name}": value for name, value in _MOVING.items()}},
        whole=True,
        **_MOVING,
    ),
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
