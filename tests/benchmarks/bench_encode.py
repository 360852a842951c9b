"""Encoding of a view against `tokenizers.encode_batch` alone on the same text, with all cores; opening it again."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.dataset.sample import Message, Sample
from core.dataset.view.view import view_line
from core.engine.encode_all import encode_all
from core.engine.encoded import EncodingSettings
from core.engine.load import load_tokenizer
from core.engine.samples import encode_view, read_view
from core.engine.template import as_template_turn, use_template
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Model
from tests.benchmarks.near_rows import near_rows
from tests.benchmarks.table import Row
from tests.conftest import PUBLIC_DATA

SAMPLES = int(os.environ.get("TUNEDECK_BENCH_ENCODE_SAMPLES", "40_000"))
CHECKED = 500
TOKENS = 600
"""Each sample has at least so many, and often twice as many."""


def run() -> list[Row]:
    """The floor first, so that nothing is in a cache that the encoding did not fill itself."""
    if not PUBLIC_DATA.is_dir():
        return [Row("encoding", float("nan"), "s", note="the public datasets are not here")]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    tokenizer = load_tokenizer(Model(path=str(SAMPLE_DATA / "tiny_base")))
    template = use_template(tokenizer, "")
    settings = EncodingSettings(template, 2**20)
    samples = _samples()
    texts = [
        tokenizer.apply_chat_template(
            [as_template_turn(turn) for turn in sample.messages], chat_template=template.text, tokenize=False
        )
        for sample in samples
    ]
    with tempfile.TemporaryDirectory() as name:
        view = Path(name, "train.jsonl")
        view.write_bytes(b"".join(view_line(f"{n}:0", n, 0, sample) for n, sample in enumerate(samples)))
        backend = tokenizer.backend_tokenizer
        floor, floor_cpu, encodings = _timed(lambda: backend.encode_batch(texts, add_special_tokens=False))
        tokens = sum(map(len, encodings))
        del encodings
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # as in a worker
        ours, cpu, (rows, facts) = _timed(lambda: encode_all(view, tokenizer, settings, caches=Path(name, "caches")))
        again, _, _ = _timed(lambda: encode_all(view, tokenizer, settings, caches=Path(name, "caches")))
        one, _, (few, _) = _timed(lambda: encode_view(_first(view), tokenizer, settings))
        size = sum(path.stat().st_size for path in Path(name, "caches").rglob("*") if path.is_file())
        view_size = view.stat().st_size
    same = few.to_list() == rows.select(range(len(few))).to_list() and facts.tokens == tokens
    each = tokens / len(samples)
    return [
        Row(
            f"encoding {len(samples):,} samples of {each:,.0f} tokens, samples/s",
            len(samples) / ours,
            "/s",
            f"tokenizers.encode_batch alone {len(samples) / floor:,.0f}/s",
            floor / ours,
            ">= 0.7",
            floor / ours >= 0.7,
            f"{ours:.1f} s with {len(os.sched_getaffinity(0))} cores, their start included; "
            f"CPU {cpu:.1f} s, encode_batch {floor_cpu:.1f} s; one process {CHECKED / one:,.0f}/s",
        ),
        Row("opening them again", again, "s", bar="<= 1", met=again <= 1),
        Row("the cache, times its view", size / view_size, "", bar="<= 3", met=size <= 3 * view_size),
        Row("rows equal to one process's", float(same), "", bar="1", met=same, note=f"the first {CHECKED}; all tokens"),
    ]


def _samples() -> list[Sample]:
    """Talks made of public texts, each long enough."""
    texts = near_rows(PUBLIC_DATA, 30_000)
    drawn = random.Random(7)
    found = []
    for _ in range(SAMPLES):
        turns: list[Message] = []
        length = 0
        while length < 3 * TOKENS or len(turns) % 2:
            turns.append(Message("assistant" if len(turns) % 2 else "user", drawn.choice(texts)))
            length += len(turns[-1].content)
        found.append(Sample("messages", tuple(turns)))
    return found


def _first(view: Path) -> Any:
    return (row for row, _ in zip(read_view(view), range(CHECKED), strict=False))


def _timed(act: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, CPU seconds with those of child processes, and what comes out."""
    begun, used = time.monotonic(), sum(os.times()[:4])
    result = act()
    return time.monotonic() - begun, sum(os.times()[:4]) - used, result
