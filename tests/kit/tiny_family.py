"""A tiny model of a family with the sample base's tokenizer: `python -m tests.kit.tiny_family FOLDER MODEL_TYPE`.

Its weights are random. A mixture of experts reports its routers' loss, as its trainers want.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.kit.training_runs import BASE


def main(argv: Sequence[str]) -> int:
    """Writes the model."""
    from transformers import AutoTokenizer

    from tests.kit.model_families import tiny

    folder, model_type = argv
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    model = tiny(model_type, vocabulary=len(tokenizer))
    assert model is not None, "its sizes do not shrink so far"
    if hasattr(model.config, "output_router_logits"):
        model.config.output_router_logits = True
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
