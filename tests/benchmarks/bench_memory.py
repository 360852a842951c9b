"""Resident memory of the app after five idle seconds, on JSONL and on Parquet."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.bench_start import MINIMAL
from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal

BIN = Path(sys.executable).parent
ROWS = 50_000


def run() -> list[Row]:
    """Measure each once; memory hardly varies."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = [
            [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n}"}]
            for n in range(ROWS)
        ]
        lines, table = folder / "chat.jsonl", folder / "chat.parquet"
        lines.write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns), encoding="utf-8")
        pq.write_table(pa.table({"messages": turns}), table)
        floor = _idle_memory([sys.executable, str(MINIMAL)], folder, "the minimal app")
        program = str(BIN / "tunedeck")
        on_lines = _idle_memory([program, str(lines)], folder, "question 0")
        on_table = _idle_memory([program, str(table)], folder, "question 0")
    return [
        _row(f"tunedeck on JSONL of {ROWS:,} rows", on_lines, floor, 80),
        _row(f"tunedeck on Parquet of {ROWS:,} rows", on_table, floor, 130),
    ]


def _row(name: str, megabytes: float, floor: float, bar: float) -> Row:
    return Row(
        name, megabytes, "MB", f"minimal app {floor:.1f} MB", megabytes / floor, f"<= {bar} MB", megabytes <= bar
    )


def _idle_memory(argv: list[str], folder: Path, text: str) -> float:
    with Terminal(argv, cols=120, rows=40, cwd=folder) as terminal:
        terminal.wait_for(text, 60)
        terminal.settle(quiet=5.0, timeout=5.0)
        status = Path(f"/proc/{terminal.pid}/status").read_text(encoding="ascii")
        kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return kib * 1024 / 1e6
