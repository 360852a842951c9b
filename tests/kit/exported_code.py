"""Runs the code that Export shows for a reward model: `python -m tests.kit.exported_code RUN`.

It prints a score; below it goes the score of the same conversation by the model that the code has merged and saved.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(argv: Sequence[str]) -> int:
    """Loads, scores, merges, loads again, scores again."""
    from core.runs.artifacts import loading_code, read_adapter

    found = read_adapter(Path(argv[0]))
    assert found is not None
    os.chdir(argv[0])
    names: dict[str, Any] = {}
    exec(compile(loading_code(found), "exported", "exec"), names)
    import torch
    from transformers import AutoModelForSequenceClassification

    merged = AutoModelForSequenceClassification.from_pretrained("reward-model", dtype="auto").eval()
    with torch.no_grad():
        print(merged(**names["inputs"]).logits[0, 0].item())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
