"""Run by the peer's own Python: datasketch's candidate pairs of the texts in a JSONL file; prints how many.

MinHash of 128 permutations on the set of 5-grams of characters, MinHashLSH, as its documentation shows it.
"""

from __future__ import annotations

import json
import sys

from datasketch import MinHash, MinHashLSH

with open(sys.argv[1], encoding="utf-8") as lines:
    texts = [json.loads(line)["text"] for line in lines]
index = MinHashLSH(threshold=float(sys.argv[2]), num_perm=128)
pairs = 0
for number, text in enumerate(texts):
    grams = {text[at : at + 5] for at in range(len(text) - 4)} or {text}
    sketch = MinHash(num_perm=128)
    sketch.update_batch([gram.encode("utf-8", "surrogatepass") for gram in grams])
    pairs += len(index.query(sketch))
    index.insert(str(number), sketch)
print(pairs)
