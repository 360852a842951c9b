"""Near-duplicates on a Ray cluster, with the sketches and the exact similarity of tunedeck.

    pip install "ray[data]" polars tunedeck
    python near_ray.py --threshold 0.8 --column text --out pairs.jsonl data/*.jsonl

On a cluster of several machines: `ray job submit --address http://HEAD:8265 --working-dir . -- python near_ray.py ...`.
Writes verified pairs, one per line: the rows' keys (the hash of the normalized text) and their similarity. Equal texts
have equal keys, so they need no pair.
"""

from __future__ import annotations

import argparse
import json
from hashlib import blake2b
from typing import Any

import numpy as np
import ray

from core.dataset.item import normalize
from core.dataset.near.exact import jaccard
from core.dataset.near.sketch import Banding, sketch

ALL_PAIRS = 32
"""In groups of equal bands up to this size all pairs are candidates; in larger ones those with the first this many."""

Batch = dict[str, Any]


def keyed(batch: Batch, column: str) -> Batch:
    """Texts, normalized, with their keys."""
    texts = [text for text in map(normalize, batch[column]) if text]
    return {
        "key": [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() for text in texts],
        "text": texts,
    }


def first(batch: Batch) -> Batch:
    """One of equal texts."""
    return {name: values[:1] for name, values in batch.items()}


def banded(batch: Batch, banding: Banding) -> Batch:
    """A row for each band of each text."""
    bands = sketch(list(batch["text"]), banding).bands.astype(np.int64)
    numbered = bands + (np.arange(banding.bands, dtype=np.int64) << 32)[:, None]
    return {"band": numbered.ravel(), "key": np.tile(batch["key"], banding.bands)}


def candidates(group: Batch) -> Batch:
    """The pairs of a group of equal bands."""
    keys = sorted(set(group["key"]))
    pairs = [(one, other) for at, one in enumerate(keys[:ALL_PAIRS]) for other in keys[at + 1 :]]
    return {"one": [one for one, _ in pairs], "other": [other for _, other in pairs]}


def verified(batch: Batch, threshold: float) -> Batch:
    """The pairs that really are as similar."""
    similarity = np.asarray([jaccard(*texts) for texts in zip(batch["text"], batch["other_text"], strict=True)])
    near = similarity >= threshold
    return {"one": batch["one"][near], "other": batch["other"][near], "similarity": similarity[near]}


def main() -> None:
    """Reads, sketches, groups, joins, verifies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--column", default="text")
    parser.add_argument("--out", required=True)
    parser.add_argument("--partitions", type=int, default=16)
    arguments = parser.parse_args()
    banding = Banding.for_threshold(arguments.threshold)
    rows = ray.data.read_json(arguments.files, lines=True).select_columns([arguments.column])
    texts = (
        rows.map_batches(keyed, fn_kwargs={"column": arguments.column})
        .groupby("key", arguments.partitions)
        .map_groups(first)
        .materialize()
    )
    groups = texts.map_batches(banded, batch_size=1_000, fn_kwargs={"banding": banding}).groupby(
        "band", arguments.partitions
    )
    pairs = groups.map_groups(candidates).groupby(["one", "other"], arguments.partitions).map_groups(first)
    with_one = pairs.join(texts, "inner", arguments.partitions, on=("one",), right_on=("key",))
    others = texts.rename_columns({"text": "other_text"})
    with_both = with_one.join(others, "inner", arguments.partitions, on=("other",), right_on=("key",))
    near = with_both.map_batches(verified, fn_kwargs={"threshold": arguments.threshold})
    with open(arguments.out, "w", encoding="utf-8") as out:
        for pair in near.iter_rows():
            out.write(json.dumps(pair) + "\n")


if __name__ == "__main__":
    main()
