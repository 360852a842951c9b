"""Kinds of adapters: each trains as plain TRL with peft's own configuration does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.kit.parity.case import Case, Given
from tests.kit.training_runs import talk, work

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython


def plain(given: Given) -> Any:
    """A plain script around `trl.SFTTrainer`, with a configuration of peft's, or the last layers unfrozen."""
    import peft
    import torch
    from datasets import Dataset
    from peft import initialize_lora_eva_weights
    from peft.optimizers import create_loraplus_optimizer
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list([{"messages": each["messages"]} for each in samples])

    options = given.options
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32)
    if last := options.get("last"):
        trained = [f"layers.{number}." for number in range(model.config.num_hidden_layers - last, 99)]
        for name, weight in model.named_parameters():
            weight.requires_grad = name == "model.norm.weight" or any(each in name for each in trained)
    config = None if last else getattr(peft, options["config"])(**options["arguments"], task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**{**given.arguments, "learning_rate": 1e-2, "max_length": 64, "assistant_only_loss": True}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=config,
    )
    if options.get("eva"):
        batches = []
        for first in range(0, len(given.train), 2):
            ids = [trainer.train_dataset[place]["input_ids"][:64] for place in (first, first + 1)]
            longest = max(len(row) for row in ids)
            batches.append(
                {
                    "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in ids]),
                    "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids]),
                }
            )
        state = torch.random.get_rng_state()
        initialize_lora_eva_weights(trainer.model, batches, show_progress_bar=False)
        torch.random.set_rng_state(state)
    if ratio := options.get("plus"):
        trainer.optimizer = create_loraplus_optimizer(
            trainer.model, torch.optim.AdamW, lr=1e-2, loraplus_lr_ratio=ratio, fused=True
        )
    return trainer


def _answers(warm: WarmPython, folder: JobFolder, plain: Sequence[Mapping[str, Any]]) -> None:
    """What was saved is loaded by the comparison, and measures what the trainer's last evaluation measured."""
    import pytest

    from core.runs.scores import read_comparison

    done = work(warm, "core.evaluation", folder.path)
    assert done.returncode == 0, done.stderr[-2000:]
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert len(comparison.answers) == 4
    measured = [line for line in plain if "eval_loss" in line][-1]
    assert comparison.tuned_loss == pytest.approx(measured["eval_loss"], rel=1e-3)


_EVERY = {"target_modules": "all-linear"}

_LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": "all-linear"}


def _case(name: str, config: str, arguments: Mapping[str, Any], *, soak: bool = True, **more: Any) -> Case:
    changes = {"task": "sft", "training__learning_rate": 1e-2, "lora__dropout": 0.05}
    changes |= more.pop("changes", {})
    return Case(
        f"sft-{name}",
        plain,
        changes,
        [talk(number) for number in range(26)],
        [talk(number) for number in range(48, 52)],
        options={"config": config, "arguments": arguments, **more},
        tokens=False,
        falls=False,
        soak=soak,
        ranks=True,
        expressed=name in ("prompt", "prefix", "p-tuning", "ia3"),
        finished=_answers,
    )


CASES = (
    _case("lora-plus", "LoraConfig", _LORA, soak=True, plus=16, changes={"lora__plus_ratio": 16.0}),
    _case(
        "p-tuning",
        "PromptEncoderConfig",
        {"num_virtual_tokens": 6, "encoder_hidden_size": 16, "encoder_num_layers": 2, "encoder_dropout": 0.0},
        changes={"method": "p_tuning", "soft_prompt__tokens": 6, "soft_prompt__encoder_size": 16},
    ),
    _case(
        "prompt",
        "PromptTuningConfig",
        {"num_virtual_tokens": 6, "prompt_tuning_init": "RANDOM"},
        changes={"method": "prompt", "soft_prompt__tokens": 6, "soft_prompt__start": "random"},
    ),
    _case(
        "prefix",
        "PrefixTuningConfig",
        {"num_virtual_tokens": 6, "prefix_projection": True, "encoder_hidden_size": 16},
        changes={
            "method": "prefix",
            "soft_prompt__tokens": 6,
            "soft_prompt__projection": True,
            "soft_prompt__encoder_size": 16,
        },
    ),
    _case(
        "ia3",
        "IA3Config",
        {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
        changes={"method": "ia3"},
    ),
    _case(
        "vera",  # the random factors are saved, and are those of the start after a resume
        "VeraConfig",
        {"target_modules": "all-linear", "r": 16},
        changes={"method": "vera"},
    ),
    _case(
        "shira",  # the places of the trained weights are drawn from the seed
        "ShiraConfig",
        {"target_modules": "all-linear", "r": 4, "random_seed": 7},
        changes={"method": "shira", "adapter__rank": 4},
    ),
    _case(
        "oft",
        "OFTConfig",
        {"target_modules": "all-linear", "oft_block_size": 16},
        changes={"method": "oft", "adapter__block_size": 16},
    ),
    _case(
        "boft",
        "BOFTConfig",
        {"target_modules": "all-linear", "boft_block_size": 4},
        changes={"method": "boft", "adapter__block_size": 4},
    ),
    _case(
        "miss", "MissConfig", {"target_modules": "all-linear", "r": 8}, changes={"method": "miss", "adapter__rank": 8}
    ),
    _case(
        "hira", "HiraConfig", {"target_modules": "all-linear", "r": 8}, changes={"method": "hira", "adapter__rank": 8}
    ),
    _case(
        "ln-tuning",
        "LNTuningConfig",
        {"target_modules": ["input_layernorm", "post_attention_layernorm", "norm"]},
        changes={"method": "ln_tuning"},
    ),
    _case("pissa", "LoraConfig", {**_LORA, "init_lora_weights": "pissa"}, changes={"lora__init": "pissa"}),
    _case("olora", "LoraConfig", {**_LORA, "init_lora_weights": "olora"}, changes={"lora__init": "olora"}),
    _case(
        "eva",
        "LoraConfig",
        {**_LORA, "init_lora_weights": "eva", "eva_config": {"rho": 1.0}},
        eva=True,
        changes={"lora__init": "eva"},
    ),
    _case("last-layers", "", {}, last=1, changes={"method": "last_layers", "last_layers__count": 1}),
)
