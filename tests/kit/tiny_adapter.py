"""A LoRA adapter for the tiny base that changes its answers: `python -m tests.kit.tiny_adapter FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.kit.training_runs import BASE


def main(argv: Sequence[str]) -> int:
    """Writes the adapter: rank 8, alpha 16, on all linear layers, both of its factors random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32), lora)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            weight.data.normal_(0, 0.02)
    model.save_pretrained(argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
