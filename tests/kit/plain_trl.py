"""A plain TRL script, written by hand and without a line of ours: what the losses are compared with.

`python plain_trl.py DATA MODEL OUT QUANTIZATION LOSS_ON` trains on raw messages and writes the logged lines as JSON; so
does `torchrun --nproc-per-node 2 plain_trl.py ...`. QUANTIZATION is `none`, `nf4`, or `whole-bf16`: every weight of the
float32 model is trained, with `bf16=True`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(argv: Sequence[str]) -> int:
    """Trains 20 steps (10 of every weight), each logged, with an evaluation before the first and after every fifth."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    data, model, out, quantization, loss_on = argv
    torch.set_num_threads(1)
    whole = quantization == "whole-bf16"

    def rows(name: str) -> Dataset:
        text = Path(data, f"{name}.jsonl").read_text()
        return Dataset.from_list([{"messages": json.loads(line)["sample"]["messages"]} for line in text.splitlines()])

    logged: list[dict[str, Any]] = []

    class Keep(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            logged.append({"step": state.global_step, **logs})

    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.float32, quantization_config=nf4 if quantization == "nf4" else None
        ),
        args=SFTConfig(
            output_dir=f"{out}.checkpoints",
            use_cpu=True,
            bf16=whole,
            learning_rate=1e-3 if whole else 1e-2,
            max_steps=10 if whole else 20,
            per_device_train_batch_size=4,
            per_device_eval_batch_size=4,
            gradient_accumulation_steps=1,
            lr_scheduler_type="linear",
            warmup_steps=0.1,
            optim="adamw_torch_fused",
            logging_steps=1,
            eval_strategy="steps",
            eval_steps=5,
            eval_on_start=True,
            save_strategy="no",
            max_length=64,
            assistant_only_loss=loss_on == "answers",
            activation_checkpointing=False,
            seed=7,
            report_to="none",
        ),
        train_dataset=rows("train"),
        eval_dataset=rows("eval"),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=None
        if whole
        else LoraConfig(r=8, lora_alpha=16, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[Keep()],
    )
    trainer.train()
    if os.environ.get("RANK", "0") == "0":
        Path(out).write_text(json.dumps(logged))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
