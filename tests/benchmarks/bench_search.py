"""Search over a gigabyte of JSONL: the first hits and the whole file, against `grep -c -F -i` and a bare read of it."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.table import Row

BYTES = 10**9
LAST = "the very last row 量子纠缠最后一行"
PUBLIC = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = ("alpaca_zh_demo.json", "alpaca_en_demo.json", "glaive_toolcall_en_demo.json")

QUERIES = (
    ("ASCII, rare", "photosynthesis"),
    ("ASCII, only the last row", "VERY LAST ROW"),
    ("Chinese", "量子"),
    ("Cyrillic", "пароль"),
)
_CHUNK = 2**18
_FIRST = 0.1
_WHOLE = 2.5


def run() -> list[Row]:
    """Measure on files that are removed afterwards, one with raw characters and one with escaped ones."""
    rows = []
    for escaped in (False, True):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, "rows.jsonl")
            _write(path, escaped)
            rows += list(_measure(path, "escaped" if escaped else "raw"))
    return rows


def _measure(path: Path, kind: str) -> Iterator[Row]:
    from core.dataset.dataset import Dataset

    reader = Dataset.open(path).reader
    reader.extend()
    grep = _grep(path)
    read = _read(path)
    for name, query in QUERIES:
        first, cpu, wall, hits = min((_search(reader, query) for _ in range(3)), key=lambda times: times[1])
        yield Row(
            f"{kind}: {name}, {hits:,} hits",
            cpu,
            "CPU s",
            f"grep -c -F -i {grep:.2f}",
            cpu / grep,
            f"<= {_WHOLE} s",
            cpu <= _WHOLE,
            f"wall {wall:.2f} s; a bare read {read:.2f} CPU s",
        )
        if hits and name != "ASCII, only the last row":
            yield Row(f"{kind}: {name}, first hit", first * 1e3, "ms", bar="<= 100 ms", met=first <= _FIRST)


def _search(reader: object, query: str) -> tuple[float, float, float, int]:
    """Seconds to the first hit, CPU seconds and seconds in all, and hits."""
    from core.dataset.search import search

    begun, cpu = time.perf_counter(), time.process_time()
    first, hits = 0.0, 0
    for found in search(reader, query):  # type: ignore[arg-type]
        if found.entries and not hits:
            first = time.perf_counter() - begun
        hits += len(found.entries)
    return first, time.process_time() - cpu, time.perf_counter() - begun, hits


def _grep(path: Path) -> float:
    """CPU seconds of grep over the file, the best of three."""
    times = []
    for _ in range(3):
        before = _children()
        # Into a pipe: with nobody to read the count grep ends at the first hit.
        subprocess.run(["grep", "-c", "-F", "-i", "photosynthesis", path], stdout=subprocess.PIPE, check=False)
        times.append(_children() - before)
    return min(times)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(path: Path) -> float:
    """CPU seconds to read the file and do nothing with it."""
    cpu = time.process_time()
    with path.open("rb") as file:
        for offset in range(0, path.stat().st_size, _CHUNK):
            os.pread(file.fileno(), _CHUNK, offset)
    return time.process_time() - cpu


def _write(path: Path, escaped: bool) -> None:
    """A gigabyte of rows: the public ones over and over where they are, else some of our own."""
    found = [row for name in FILES if (PUBLIC / name).exists() for row in json.loads((PUBLIC / name).read_bytes())]
    if not found:
        words = ("plants", "make", "sugar", "by", "photosynthesis", "while", "量子", "and", "others", "do", "not")
        source = random.Random(7)
        found = [{"text": " ".join(source.choices(words, k=120))} for _ in range(5_000)]
    random.Random(7).shuffle(found)
    block = b"".join(json.dumps(row, ensure_ascii=escaped).encode() + b"\n" for row in found)
    with path.open("wb") as file:
        while file.tell() < BYTES:
            file.write(block)
        file.write(json.dumps({"text": LAST}, ensure_ascii=escaped).encode() + b"\n")
