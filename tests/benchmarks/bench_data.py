"""Opening and scanning data: the line index against `wc -l`, the first row, any row, and the checks on real rows."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.table import Row

ROWS = 300_000
PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "t0_train_50k.jsonl.gz"

# Of the kernel's two peaks only VmHWM is this program's own: ru_maxrss also remembers the process that forked it.
_MEMORY = """
import re, sys
from core.dataset.dataset import Dataset
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
dataset = Dataset.open(sys.argv[1])
dataset.reader.extend()
print(peak() - before)
"""

_CHECKS = """
import resource, sys, time
from core.dataset.scan.scan import scan
begun, cpu = time.perf_counter(), time.process_time()
rows = scan(sys.argv[1]).rows
wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
print(rows, wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run() -> list[Row]:
    """Measure on a file of our own and, where it is, on the public one."""
    from core.dataset.dataset import Dataset

    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "rows.jsonl")
        _write(path)
        index = _best(lambda: Dataset.open(path).reader.extend())
        count = _best(lambda: subprocess.run(["wc", "-l", path], check=True, stdout=subprocess.DEVNULL))
        first = _best(lambda: Dataset.open(path).preview(0))
        dataset = Dataset.open(path)
        dataset.reader.extend()
        places = random.Random(7).sample(range(ROWS), 2_000)
        times = [_best(lambda place=place: dataset.row(place), 1) for place in places]  # type: ignore[misc]
        memory = int(subprocess.run([sys.executable, "-c", _MEMORY, path], check=True, capture_output=True).stdout)
        size = path.stat().st_size / 2**20
    rows = [
        Row(
            f"index of {ROWS:,} rows, {size:.0f} MiB",
            index,
            "s",
            f"wc -l {count:.3f}",
            index / count,
            "<= 3",
            index <= 3 * count,
        ),
        Row("open until the first row", first * 1e3, "ms", bar="<= 100 ms", met=first <= 0.1),
        Row(
            "any row, p99",
            statistics.quantiles(times, n=100)[98] * 1e3,
            "ms",
            bar="<= 5 ms",
            met=statistics.quantiles(times, n=100)[98] <= 0.005,
        ),
        Row("memory of the index", memory / 1024, "MiB", bar="<= 64 MiB", met=memory <= 64 * 1024),
    ]
    return rows + _scan()


def _scan() -> list[Row]:
    """The checks in a separate process, as in a scan job."""
    if not PUBLIC.exists():
        return [Row("all checks on t0_train_50k", 0, "rows/s", note="skipped: the public datasets are not here")]
    said = subprocess.run([sys.executable, "-c", _CHECKS, PUBLIC], check=True, capture_output=True, text=True).stdout
    rows, wall, cpu, peak = map(float, said.split())
    return [
        Row(
            "all checks on t0_train_50k",
            rows / wall,
            "rows/s",
            bar=">= 5,000",
            met=rows / wall >= 5_000,
            note=f"{rows / cpu:,.0f} rows per CPU second; peak memory {peak / 1024:.0f} MiB",
        )
    ]


def _write(path: Path) -> None:
    words = ["the", "model", "learns", "what", "the", "rows", "say", "and", "nothing", "else"]
    dice = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            answer = " ".join(dice.choices(words, k=150))
            turns = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": turns}) + "\n")


def _best(work: Callable[[], object], rounds: int = 5) -> float:
    """The fastest of several rounds, in seconds: the others were disturbed."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best
