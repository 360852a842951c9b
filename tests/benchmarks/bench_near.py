"""Near-duplicates at 0.8: CPU, memory, recall against an exact join, precision of removals, and datasketch beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.item import Item
from tests.benchmarks.exact_join import exact_pairs
from tests.benchmarks.near_rows import near_rows
from tests.benchmarks.peers import NoPeer, peer
from tests.benchmarks.table import Row
from tests.conftest import PUBLIC_DATA

BIN = Path(sys.executable).parent
PEER_SCRIPT = Path(__file__).with_name("datasketch_pairs.py")
ROWS = int(os.environ.get("TUNEDECK_BENCH_NEAR_ROWS", "100_000"))
THRESHOLD = 0.8


def run() -> list[Row]:
    """Everything on the same file in the same run."""
    if not PUBLIC_DATA.is_dir():
        return [Row("near-duplicates", float("nan"), "s", note="the public datasets are not here")]
    texts = near_rows(PUBLIC_DATA, ROWS)
    with tempfile.TemporaryDirectory() as name:
        file, small = Path(name, "rows.jsonl"), Path(name, "small.jsonl")
        _write(file, texts)
        _write(small, texts[:10_000])
        plain = _measure(_scan(file))
        one = _measure(_scan(file, "--near"))
        two = _measure(_scan(file, "--near", "--processes", "2"))
        quick, quick_plain = _measure(_scan(small, "--near")), _measure(_scan(small))
        tool = PUBLIC_DATA / "gpteacher_toolformer.json"
        known = _measure(_scan(tool, "--near"))
        clusters = json.loads(one.output)["clusters"]
        return [
            _row(
                f"near-duplicate search in {ROWS:,} rows, CPU time",
                one.cpu - plain.cpu,
                "s",
                one.cpu - plain.cpu <= 25,
                f"scan --near {one.cpu:.1f} s, of which {plain.cpu:.1f} s is the rest of the scan",
                25,
            ),
            _row("memory of scan --near", one.memory, "MB", one.memory <= 400, "", 400),
            _row(
                "10,000 rows, of that the search",
                quick.seconds - quick_plain.seconds,
                "s",
                quick.seconds - quick_plain.seconds <= 2,
                f"{quick.cpu - quick_plain.cpu:.1f} CPU s; whole command {quick.seconds:.1f} s; needs a quiet machine",
                2,
            ),
            Row(
                "two processes, the same result",
                float(one.output == two.output),
                "",
                bar="1",
                met=one.output == two.output,
                note=f"{two.seconds:.1f} s instead of {one.seconds:.1f}",
            ),
            _precision("removals with a row that stays", clusters, texts),
            _precision("the same, gpteacher_toolformer", json.loads(known.output)["clusters"], _sample_texts(tool)),
            _datasketch(file, one.cpu - plain.cpu),
            _recall(clusters, texts),
        ]


class _Measured:
    """What a command printed, and what it cost with its children."""

    def __init__(self, output: str, cpu: float, memory: float, seconds: float) -> None:
        self.output, self.cpu, self.memory, self.seconds = output, cpu, memory, seconds


def _measure(argv: Sequence[str | Path]) -> _Measured:
    """Runs a command under GNU-time-like accounting of its own, so that what ran before does not count."""
    watcher = (
        "import json, resource, subprocess, sys, time\n"
        "begun = time.monotonic()\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "cost = [used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.monotonic() - begun]\n"
        "print(json.dumps([done.returncode, done.stdout, *cost]))\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", watcher, *map(str, argv)]
    reported = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    code, output, cpu, memory, seconds = json.loads(reported.stdout)
    if code:
        raise RuntimeError(f"{' '.join(map(str, argv))} ended with {code}")
    return _Measured(output, cpu, memory, seconds)


def _scan(file: Path, *more: str) -> list[str | Path]:
    return [BIN / "tunedeck", "scan", file, "--json", *more]


def _write(file: Path, texts: Sequence[str]) -> None:
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


def _row(name: str, value: float, unit: str, met: bool, note: str, bar: float) -> Row:
    return Row(name, value, unit, bar=f"<= {bar:g} {unit}", met=met, note=note)


def _sample_texts(file: Path) -> list[str]:
    dataset = Dataset.open(file)
    dataset.reader.extend()
    return [Item(entry, dataset.sample(entry)).normalized for entry in range(dataset.count)]


def _precision(name: str, clusters: Sequence[dict[str, Any]], texts: Sequence[str]) -> Row:
    """The share of dropped rows with a kept row at or above the threshold, compared again as sets of strings."""
    good = total = 0
    for cluster in clusters:
        kept = set(cluster["keep"])
        for drop in cluster["drop"]:
            total += 1
            one, other = (_strings(texts[row]) for row in (drop["row"], drop["because_of"]))
            good += drop["because_of"] in kept and len(one & other) >= THRESHOLD * len(one | other)
    return Row(name, good / max(total, 1), "", bar="1", met=good == total, note=f"{total:,} of {len(texts):,} rows")


def _strings(text: str) -> set[str]:
    return {text[at : at + 5] for at in range(len(text) - 4)} or {text}


def _recall(clusters: Sequence[dict[str, Any]], texts: Sequence[str]) -> Row:
    cluster_of = {row: number for number, cluster in enumerate(clusters) for row in cluster["rows"]}
    found = total = 0
    for first, second in exact_pairs(texts, THRESHOLD):
        total += 1
        found += cluster_of.get(first, -1) == cluster_of.get(second, -2)
    share = found / max(total, 1)
    return Row("true pairs in one cluster", share, "", bar=">= 0.99", met=share >= 0.99, note=f"{total:,} true pairs")


def _datasketch(file: Path, ours: float) -> Row:
    name = "near-duplicate search, CPU time against datasketch"
    try:
        python = peer("datasketch", "datasketch") / "python"
    except NoPeer as error:
        return Row(name, ours, "s", note=f"datasketch skipped: {error}")
    try:
        theirs = _measure([python, PEER_SCRIPT, file, str(THRESHOLD)])
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return Row(name, ours, "s", note=f"datasketch skipped, it failed: {error}")
    ratio = ours / theirs.cpu
    against = f"datasketch {theirs.cpu:.1f} s, {theirs.memory:,.0f} MB"
    return Row(
        name, ours, "s", against, ratio, "<= 0.25", ratio <= 0.25, f"{int(theirs.output):,} pairs, none verified"
    )
