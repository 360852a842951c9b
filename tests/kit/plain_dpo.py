"""A plain script around `trl.DPOTrainer`, written by hand and without a line of ours: what DPO runs are compared with.

`python plain_dpo.py DATA MODEL OUT STEPS METHOD` trains on raw preference pairs and writes the logged lines, and the
tokens that the trainer makes of the pairs, as JSON; METHOD is `lora`, `full`, or the folder of an adapter to train
further: then the mean log-probability of the chosen held-out answers is written, too, with that adapter and without.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARTS = ("prompt_ids", "chosen_ids", "rejected_ids")


def main(argv: Sequence[str]) -> int:
    """Trains, each step logged, with an evaluation before the first and after every third."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    data, model, out, steps, method = argv
    torch.set_num_threads(1)

    def rows(name: str) -> Dataset:
        samples = [json.loads(line)["sample"] for line in Path(data, f"{name}.jsonl").read_text().splitlines()]
        return Dataset.from_list(
            [{"prompt": each["messages"], "chosen": each["chosen"], "rejected": each["rejected"]} for each in samples]
        )

    logged: list[dict[str, Any]] = []

    class Keep(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            logged.append({"step": state.global_step, **logs})

    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    begun = PeftModel.from_pretrained(base, method, is_trainable=True) if method not in ("lora", "full") else None
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = DPOTrainer(
        model=base if begun is None else begun,
        args=DPOConfig(
            output_dir=f"{out}.checkpoints",
            use_cpu=True,
            bf16=False,
            learning_rate=1e-3,
            max_steps=int(steps),
            per_device_train_batch_size=2,
            per_device_eval_batch_size=4,
            gradient_accumulation_steps=2,
            lr_scheduler_type="linear",
            warmup_steps=0.1,
            optim="adamw_torch_fused",
            logging_steps=1,
            eval_strategy="steps",
            eval_steps=3,
            eval_on_start=True,
            save_strategy="no",
            max_length=64,
            beta=0.2,
            loss_type=["sigmoid"],
            activation_checkpointing=False,
            seed=7,
            report_to="none",
        ),
        train_dataset=rows("train"),
        eval_dataset=rows("eval"),
        processing_class=AutoTokenizer.from_pretrained(model),
        peft_config=lora if method == "lora" else None,
        callbacks=[Keep()],
    )
    tokens = [{name: row[name] for name in PARTS} for row in trainer.train_dataset]
    known: dict[str, float] = {}
    if begun is not None:
        begun.eval()
        known["reference"] = _log_probability(begun, trainer.eval_dataset)
        with begun.disable_adapter():
            known["base"] = _log_probability(begun, trainer.eval_dataset)
        begun.train()
    trainer.train()
    Path(out).write_text(json.dumps({"logged": logged, "tokens": tokens, **known}))
    return 0


def _log_probability(model: Any, rows: Any) -> float:
    """The mean over rows of the summed log-probability of the chosen answer."""
    import torch

    found = []
    for row in rows:
        ids = torch.tensor([row["prompt_ids"] + row["chosen_ids"]])[:, :64]
        with torch.no_grad():
            logits = model(ids).logits[0, :-1].log_softmax(-1)
        each = logits.gather(1, ids[0, 1:, None])[len(row["prompt_ids"]) - 1 :]
        found.append(float(each.sum()))
    return sum(found) / len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
