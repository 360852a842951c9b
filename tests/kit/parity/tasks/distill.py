"""Distillation from a teacher: all three divergences, and every weight."""

from __future__ import annotations

from typing import Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import talk


def plain(given: Given) -> Any:
    """A plain script around `trl.DistillationTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DistillationConfig, DistillationTrainer

    def rows(samples: Any) -> Dataset:
        return Dataset.from_list([{"prompt": each["messages"][:1]} for each in samples])

    options = dict(given.options)
    whole = options.pop("whole", False)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    return DistillationTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        teacher_model=AutoModelForCausalLM.from_pretrained(given.models["distill.teacher"], dtype=torch.float32),
        args=DistillationConfig(**{**given.arguments, "max_completion_length": 16, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def _case(name: str, options: dict[str, Any], *, soak: bool = True, **changes: Any) -> Case:
    return Case(
        name=name,
        plain=plain,
        changes={"task": "distill", "distill__max_completion_length": 16, **changes},
        train=[talk(number) for number in range(10)],
        held_out=[talk(number) for number in range(20, 23)],
        logged=("grad_norm", "entropy", "completions/mean_length"),
        eval_logged=("eval_completions/mean_length",),
        models={"distill.teacher": "tests.kit.tiny_teacher"},
        options=options,
        tokens=False,
        falls=False,
        soak=soak,
        ranks=not soak,
    )


CASES = (
    _case("distill", {}, soak=False),
    _case("distill, forward KL", {"beta": 0.0}, distill__beta=0.0),
    _case(
        "distill, JSD",
        {"beta": 0.5, "temperature": 1.3, "top_k": 20},
        distill__beta=0.5,
        distill__temperature=1.3,
        distill__top_k=20,
    ),
    _case("distill, every weight", {"learning_rate": 1e-4, "whole": True}, method="full", training__learning_rate=1e-4),
)
