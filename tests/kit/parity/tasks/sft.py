"""SFT: the answers of conversations, or all of their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import talk


def plain(given: Given) -> Any:
    """A plain script around `trl.SFTTrainer`."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    options = dict(given.options)
    strings = options.pop("strings", False)

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        talks = [each["messages"] for each in samples]
        if strings:
            return Dataset.from_list(
                [{"prompt": asked["content"], "completion": told["content"]} for asked, told in talks]
            )
        return Dataset.from_list([{"messages": each} for each in talks])

    nf4, whole = options.pop("nf4", False), options.pop("whole", False)
    lora = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            given.model, dtype=torch.float32, quantization_config=quantization if nf4 else None
        ),
        args=SFTConfig(
            **{**given.arguments, "learning_rate": 1e-2, "max_length": 64, "assistant_only_loss": True, **options}
        ),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if whole else lora,
    )


def long(number: int) -> dict[str, Any]:
    """A sample that is cut, the first of them so early that no token of its answer is left."""
    sample = talk(number)
    sample["messages"][0]["content"] *= 6 if number == 0 else 2
    return sample


def _spaced(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample as a prompt that ends with a newline, or a completion that begins with a space, or neither."""
    asked, told = (dict(turn) for turn in sample["messages"])
    if len(asked["content"]) % 3:
        asked["content"] += "\n"
    elif len(asked["content"]) % 2:
        told["content"] = f" {told['content']}"
    return {**sample, "messages": [asked, told]}


_SFT = Case(
    "sft",
    plain,
    {"task": "sft", "lora__dropout": 0.05, "training__learning_rate": 1e-2},
    [talk(number) for number in range(48)] + [long(number) for number in range(4)],
    [talk(number) for number in range(48, 54)],
    logged=("grad_norm", "learning_rate", "entropy", "mean_token_accuracy", "num_tokens"),
    eval_logged=("eval_entropy", "eval_mean_token_accuracy"),
    ranks=True,
    script=True,
)
_RANDOM = {"model.path": "tests.kit.random_base"}

CASES = (
    _SFT,
    replace(
        _SFT,
        name="sft-everything",
        ranks=False,
        script=False,
        changes={**_SFT.changes, "data__loss_on": "everything"},
        options={"assistant_only_loss": False},
        soak=True,
    ),
    replace(
        _SFT,
        name="sft-plain",  # a prompt and a completion without a chat template
        ranks=False,
        changes={**_SFT.changes, "model__chat_template": "none"},
        train=[_spaced(sample) for sample in _SFT.train],
        held_out=[_spaced(sample) for sample in _SFT.held_out],
        options={"assistant_only_loss": False, "strings": True},
    ),
    replace(
        _SFT,
        name="sft-dft",
        ranks=False,
        changes={**_SFT.changes, "sft__loss_type": "dft"},
        options={"loss_type": "dft"},
        falls=False,  # it weighs each token by its probability, so it may rise while the model learns
        soak=True,
    ),
    replace(
        _SFT,
        name="sft-nf4",
        ranks=False,
        script=False,
        changes={**_SFT.changes, "model__quantization": "nf4"},
        options={"nf4": True},
        models=_RANDOM,
        soak=True,
    ),
    replace(
        _SFT,
        ranks=False,
        script=False,
        name="sft-full-bf16",  # every weight of the float32 model is trained, with `bf16=True`
        changes={**_SFT.changes, "method": "full", "model__dtype": "mixed_bfloat16", "training__learning_rate": 1e-3},
        options={"whole": True, "bf16": True, "learning_rate": 1e-3},
        soak=True,
    ),
)
