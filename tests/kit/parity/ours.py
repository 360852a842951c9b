"""What our encoder makes of a run's training set: `python -m tests.kit.parity.ours FOLDER OUT`.

OUT gets, of each sample that is trained on, its sequences as the mask view shows them, and the token counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Encodes with the functions that preview, token counts and training share."""
    from core.engine.encode import encode, masks
    from core.engine.encoded import EncodingSettings
    from core.engine.load import load_tokenizer
    from core.engine.samples import read_view
    from core.engine.template import use_template
    from core.jobs.folder import JobFolder
    from core.recipe.recipe import from_json
    from core.training.measure import measure

    folder = JobFolder(argv[0])
    recipe = from_json(folder.read_job()["payload"]["recipe"])
    tokenizer = load_tokenizer(recipe.model)
    settings = EncodingSettings.of(recipe, use_template(tokenizer, recipe.model.chat_template))
    rows = list(read_view(folder.data / "train.jsonl"))
    counts = [[fact.tokens, fact.trained] for fact in measure(rows, tokenizer, settings)]
    samples, counted = [], []
    for row, count in zip(rows, counts, strict=True):
        encoded = encode(row.sample, tokenizer, settings)
        if not encoded.carries_loss:
            continue
        shown = masks(encoded, tokenizer, settings)
        samples.append(
            [[each.input_ids, [int(bit) for bit in mask]] for each, mask in zip(encoded.sequences, shown, strict=True)]
        )
        counted.append(count)
    Path(argv[1]).write_text(json.dumps({"samples": samples, "counts": counted}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
