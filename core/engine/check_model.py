"""A model for the GPU check, made from its configuration alone: `python -m core.engine.check_model FOLDER`.

A Llama of 12 layers and 110 M parameters with random weights in bfloat16, and the tokenizer of the tiny base: large
enough that speed and memory mean something, small enough to be made and loaded in seconds. Nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from core.recipe.model_files import DEMO

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")


def main(argv: Sequence[str]) -> int:
    """Writes the model.

    Args:
        argv: the folder, which is made.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = Path(argv[0])
    small = AutoConfig.from_pretrained(DEMO)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=768,
        intermediate_size=2_048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=4,
        vocab_size=32_000,
        max_position_embeddings=4_096,
        tie_word_embeddings=True,
        eos_token_id=small.eos_token_id,
        bos_token_id=None,
        pad_token_id=AutoTokenizer.from_pretrained(DEMO).pad_token_id,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    for name in _TOKENIZER:
        if (DEMO / name).exists():
            shutil.copyfile(DEMO / name, folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
