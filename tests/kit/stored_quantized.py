"""Saves the tiny base as bitsandbytes has quantized it: `python -m tests.kit.stored_quantized FOLDER nf4|int8`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from core.paths import SAMPLE_DATA
from core.recipe.recipe import Model


def save_quantized(folder: Path, quantization: str) -> Path:
    """Quantizes the tiny base on the CPU and saves it with its tokenizer, as `unsloth/...-bnb-4bit` and its kind are.

    Args:
        folder: to be made.
        quantization: `nf4` or `int8`.
    """
    from core.engine.load import hardware, load_base, load_tokenizer

    model = Model(path=str(SAMPLE_DATA / "tiny_base"), quantization=quantization)
    load_base(model, hardware(model, "cpu")).save_pretrained(folder)
    load_tokenizer(model).save_pretrained(folder)
    return folder


def main(argv: Sequence[str]) -> int:
    """Saves it."""
    save_quantized(Path(argv[0]), argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
