"""Runs a case's plain TRL script: `python -m tests.kit.parity.plain CASE WORK STEPS`.

WORK holds `given.json`: `models`, `train`, `held_out`. `plain.json` is written there: the logged lines, and each row of
the trainer's dataset as its collator batches it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.kit.parity.case import ARGUMENTS, Given, all_cases


def main(argv: Sequence[str]) -> int:
    """Trains, each step logged."""
    import torch
    from transformers import TrainerCallback

    name, work, steps = argv
    torch.set_num_threads(1)
    case, given = all_cases()[name], json.loads(Path(work, "given.json").read_text())
    logged: list[dict[str, Any]] = []

    class Keep(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            logged.append({"step": state.global_step, **logs})

    trainer = case.plain(
        Given(
            model=given["models"]["model.path"],
            models=given["models"],
            train=given["train"],
            held_out=given["held_out"],
            arguments={**ARGUMENTS, "output_dir": str(Path(work, "plain")), "max_steps": int(steps)},
            options=case.options,
        )
    )
    trainer.add_callback(Keep())
    tokens = [_sequences(trainer, row) for row in trainer.train_dataset] if case.tokens else []
    trainer.train()
    if os.environ.get("RANK", "0") == "0":
        Path(work, "plain.json").write_text(json.dumps({"logged": logged, "tokens": tokens}))
    return 0


def _sequences(trainer: Any, row: dict[str, Any]) -> list[list[list[int]]]:
    """The sequences of one row in a batch of its own: ids, and for each whether it carries loss (if any mask does)."""
    batch = trainer.data_collator([row])
    if "chosen_labels" in batch:
        return [
            [batch[f"{answer}_input_ids"][0].tolist(), (batch[f"{answer}_labels"][0] != -100).int().tolist()]
            for answer in ("chosen", "rejected")
        ]
    if "labels" in batch and "completion_mask" not in batch and batch["labels"].shape == batch["input_ids"].shape:
        trained = batch["labels"] != -100
    else:
        trained = batch.get("completion_mask", batch["attention_mask"])
    found = []
    for ids, mask, kept in zip(batch["input_ids"], trained, batch["attention_mask"], strict=True):
        seen = kept.bool()
        found.append([ids[seen].tolist(), mask[seen].int().tolist()])
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
