"""A teacher for the tiny base, that is the base with its weights shaken: `python -m tests.kit.tiny_teacher FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.kit.training_runs import BASE


def main(argv: Sequence[str]) -> int:
    """Writes the teacher, with the tokenizer of the base."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    for weight in model.parameters():
        weight.data += 0.3 * weight.data.std() * torch.randn_like(weight)
    model.save_pretrained(argv[0])
    AutoTokenizer.from_pretrained(BASE).save_pretrained(argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
