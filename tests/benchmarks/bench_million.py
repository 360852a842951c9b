"""A million rows, about 1 GB of JSONL: index, first rows, any row, paging, memory, and how long the interface waits."""

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

from core.dataset.dataset import Dataset
from core.dataset.scan.keys import KEY_BYTES
from tests.benchmarks.peers import NoPeer, peer
from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal

ROWS = 1_000_000
PAGES = 40
SCANNED = 20.0
"""Seconds of a running scan during which the interface is watched, at least."""

KEYED = 100_000
"""Rows that the scan has come to when memory is measured, whatever the speed: it flags almost each of them."""

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

_OURS = """
import random, resource, sys, time
from core.dataset.dataset import Dataset
rows = int(sys.argv[2])
places = random.Random(7).sample(range(rows), 200)
dataset = Dataset.open(sys.argv[1])
dataset.reader.extend()
assert dataset.count == rows
shown = [dataset.row(n) for n in range(20)] + [dataset.row(place) for place in places]
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


def run() -> list[Row]:
    """Write the file, measure, take it away again."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "million.jsonl")
        _write(path)
        size = path.stat().st_size / 1e6
        count = _best(lambda: subprocess.run(["wc", "-l", path], check=True, stdout=subprocess.DEVNULL))
        index = _best(lambda: Dataset.open(path).reader.extend())
        first = _best(lambda: _first_rows(Dataset.open(path)))
        dataset = Dataset.open(path)
        dataset.reader.extend()
        any_row = [_best(lambda n=n: dataset.row(n), 1) for n in random.Random(7).sample(range(ROWS), 2_000)]  # type: ignore[misc]
        p99 = statistics.quantiles(any_row, n=100)[98] * 1e3
        rows = [
            Row(
                f"index of {ROWS:,} rows, {size:,.0f} MB",
                index,
                "s",
                f"wc -l {count:.3f}",
                index / count,
                "<= 3",
                index <= 3 * count,
            ),
            Row("first 50 rows", first * 1e3, "ms", bar="<= 100 ms", met=first <= 0.1),
            Row("any row, p99", p99, "ms", bar="<= 5 ms", met=p99 <= 5),
        ]
        return rows + _app(path) + _peers(path)


def _first_rows(dataset: Dataset) -> list[str]:
    dataset.reader.extend(0.02)
    return [dataset.preview(n) for n in range(50)]


def _app(path: Path) -> list[Row]:
    """The program itself in a pseudo-terminal."""
    with tempfile.TemporaryDirectory() as name:
        empty = _memory([], Path(name), "quit", 3.0)
    with tempfile.TemporaryDirectory() as name:
        late = Path(name, "late.json")
        argv = [sys.executable, "-m", "tests.benchmarks.paced_app", str(late), str(path)]
        with Terminal(argv, cols=120, rows=40, cwd=name, env={"PYTHONPATH": str(ROOT)}) as terminal:
            terminal.wait_for("question 0 ", 30)
            shown = time.perf_counter()
            terminal.wait_for(f"{ROWS:,}", 60)
            terminal.settle(quiet=SCANNED, timeout=SCANNED)  # the scan continues meanwhile
            terminal.wait_until(lambda _: _keyed(Path(name)) >= KEYED, 600, what=f"{KEYED:,} rows scanned")
            memory, keyed = _private(terminal.pid), _keyed(Path(name))
            pages = [_page_down(terminal) for _ in range(PAGES)]
            ended = time.perf_counter()
            terminal.send("ctrl+q")
            terminal.wait_exit(20)
        moments = json.loads(late.read_text())
        blocked = 1e3 * max((late for when, late in moments if shown <= when < ended), default=0.0)
        before = 1e3 * max((late for when, late in moments if when < shown), default=0.0)
    above, page = memory - empty, statistics.median(pages) * 1e3
    return [
        Row(
            "memory above the empty app",
            above,
            "MiB",
            f"empty app {empty:.0f} MiB, {keyed:,} rows scanned",
            bar="<= 64 MiB",
            met=above <= 64,
        ),
        Row(
            "page-down on the screen, p50", page, "ms", bar="<= 50 ms", met=page <= 50, note=f"p95 {_p95(pages):.0f} ms"
        ),
        Row(
            "longest the interface was blocked",
            blocked,
            "ms",
            bar="<= 50 ms",
            met=blocked <= 50,
            note=f"while counting, scanning and paging, after the first screen; {before:.0f} ms during the start",
        ),
    ]


def _keyed(workspace: Path) -> int:
    """How many rows the scan has come to."""
    return sum(path.stat().st_size // KEY_BYTES for path in workspace.glob(".tunedeck/jobs/*/scan/keys.bin"))


def _page_down(terminal: Terminal) -> float:
    """Seconds from the key until the list shows other rows."""
    before = terminal.text
    begun = time.perf_counter()
    terminal.send("pagedown")
    terminal.wait_until(lambda screen: screen != before, 10, what="another page")
    took = time.perf_counter() - begun
    terminal.settle(quiet=0.1, timeout=1.0)
    return took


def _memory(arguments: list[str], folder: Path, text: str, idle: float) -> float:
    with Terminal([Path(sys.executable).parent / "tunedeck", *arguments], cols=120, rows=40, cwd=folder) as terminal:
        terminal.wait_for(text, 30)
        terminal.settle(quiet=idle, timeout=idle)
        return _private(terminal.pid)


def _private(pid: int) -> float:
    """MiB of a process without file-backed pages, which the kernel can reclaim at any time."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) / 1024


def _peers(path: Path) -> list[Row]:
    """CPU of opening, counting, and showing rows from anywhere; of each the least of three processes."""
    ours = min(_reported([sys.executable, "-c", _OURS, str(path), str(ROWS)])[0] for _ in range(3))
    rows = []
    for name, share in (("duckdb", 1 / 5), ("polars", 1 / 20)):
        label = f"CPU time to open, against {name}"
        try:
            python = peer(name, name) / "python"
        except NoPeer as error:
            rows.append(Row(label, ours, "CPU s", note=f"skipped: {error}"))
            continue
        argv = [str(python), str(HERE / "million_peer.py"), name, str(path), str(ROWS)]
        cpu, wall, peak = min(_reported(argv) for _ in range(3))
        rows.append(
            Row(
                label,
                ours,
                "CPU s",
                f"{name} {cpu:.1f}",
                ours / cpu,
                f"<= {share:.2f}",
                ours <= share * cpu,
                f"{name}: {wall:.1f} s, {peak:,.0f} MiB",
            )
        )
    return rows


def _reported(argv: list[str]) -> list[float]:
    """The numbers that a process prints."""
    return [float(word) for word in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()]


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[18] * 1e3


def _write(path: Path) -> None:
    words = ["the", "model", "learns", "what", "the", "rows", "say", "and", "nothing", "else"]
    dice = random.Random(7)
    answers = [" ".join(dice.choices(words, k=180)) for _ in range(997)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            turns = [
                {"role": "user", "content": f"question {number} {dice.random()}"},
                {"role": "assistant", "content": answers[number % len(answers)]},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")


def _best(work: Callable[[], object], rounds: int = 5) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best
