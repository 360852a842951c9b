"""CPO and SimPO: pairs without a reference model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.kit.parity.case import Case, Given
from tests.kit.parity.tasks.orpo import evaluated, pairs


def plain(given: Given) -> Any:
    """A plain script around `trl.experimental.cpo.CPOTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    options = dict(given.options)
    whole = options.pop("whole", False)
    return CPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=CPOConfig(**{**given.arguments, "max_length": 64, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def _case(loss: str, changes: dict[str, Any], options: dict[str, Any], **more: Any) -> Case:
    return Case(
        f"cpo-{loss}",
        plain,
        {"task": "cpo", "cpo__loss_type": loss, **changes},
        pairs(range(26)),
        pairs(range(60, 68)),
        logged=("rewards/accuracies", "nll_loss", "grad_norm"),
        eval_logged=("eval_rewards/accuracies",),
        options={"loss_type": loss, **options},
        varies=("num_tokens",),
        finished=evaluated,
        **more,
    )


CASES = (
    _case(
        "simpo",
        {"cpo__beta": 2.0, "cpo__target_margin": 1.0, "cpo__sft_weight": 0.0},
        {"beta": 2.0, "simpo_gamma": 1.0, "cpo_alpha": 0.0},
        ranks=True,
    ),
    _case("sigmoid", {"cpo__label_smoothing": 0.1}, {"label_smoothing": 0.1}, soak=True, ranks=True),
    _case("hinge", {"cpo__beta": 0.2}, {"beta": 0.2}, soak=True),
    _case("ipo", {}, {}, soak=True, falls=False),
    _case("alphapo", {"cpo__alpha": 0.1, "cpo__beta": 2.0}, {"alpha": 0.1, "beta": 2.0}, soak=True),
    _case(
        "hinge-full", {"cpo__loss_type": "hinge", "method": "full"}, {"loss_type": "hinge", "whole": True}, soak=True
    ),
)
