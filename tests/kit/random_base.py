"""A base model of random weights with the tokenizer of the sample base: `python random_base.py FOLDER`.

Its matrices are multiples of 64, so that plain TRL can evaluate it in 4 bits on any CPU (bitsandbytes fails on others).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.kit.training_runs import BASE


def main(argv: Sequence[str]) -> int:
    """Writes the model."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(BASE)
    tokenizer.save_pretrained(argv[0])
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(argv[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
