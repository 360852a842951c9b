"""`make demo` without a terminal, once installed: seconds of the whole walk."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.table import Row

BIN = Path(sys.executable).parent


def run() -> list[Row]:
    """One run of the demo, without its output."""
    with tempfile.TemporaryDirectory() as workspace:
        begun = time.monotonic()
        command = [str(BIN / "tunedeck"), "demo", "--json"]
        done = subprocess.run(command, cwd=workspace, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds = time.monotonic() - begun
    if done.returncode:
        return [Row("demo without a terminal", seconds, "s", bar="<= 60", met=False, note=done.stderr.strip()[-200:])]
    facts = json.loads(done.stdout)
    note = f"eval loss {facts['base_loss']:.2f} -> {facts['tuned_loss']:.2f}, {facts['differing']} answers differ"
    return [Row("demo without a terminal", seconds, "s", bar="<= 60 s", met=seconds <= 60, note=note)]
