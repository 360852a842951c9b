"""What the data room costs to import and to hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core.paths import ROOT
from tests.kit.waiting import PATIENCE

_HEAVY = ("numpy", "pyarrow", "polars", "pandas", "torch", "transformers", "datasets", "yaml", "textual", "rich")


def run(code: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout


def test_importing_every_module_of_the_room_loads_nothing_heavy() -> None:
    code = """
import importlib, pkgutil, sys, core.dataset
for module in pkgutil.walk_packages(core.dataset.__path__, "core.dataset."):
    importlib.import_module(module.name)
print([name for name in sys.argv[1].split() if name in sys.modules])
"""
    assert run(code, " ".join(_HEAVY)).strip() == "[]"


def test_opening_jsonl_loads_neither_sqlite_nor_hashing_nor_threads(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n')
    code = """
import sys
from core.dataset.checks import Flag
from core.dataset.dataset import Dataset
assert Dataset.open(sys.argv[1]).preview(0) == "a"
print([name for name in ("sqlite3", "hashlib", "concurrent.futures", "numpy", "pyarrow") if name in sys.modules])
"""
    assert run(code, str(path)).strip() == "[]"


def test_a_million_rows_are_held_in_few_bytes_each(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "abc"}\n' * 1_000_000)
    # VmHWM and not ru_maxrss, which also remembers the process that forked this one.
    code = """
import re, sys
from core.dataset.dataset import Dataset
from tests.kit.waiting import PATIENCE
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
dataset = Dataset.open(sys.argv[1])
dataset.reader.extend()
assert dataset.count == 1_000_000
print(peak() - before)
"""
    grown = int(run(code, str(path)))
    assert 0 < grown < 32 * 1024
