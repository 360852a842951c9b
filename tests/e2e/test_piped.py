"""`tunedeck -` and `tunedeck scan -` in real processes: data through a pipe, keys from the terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from core.paths import ROOT
from tests.kit.terminal import Terminal

ROWS = "".join(json.dumps({"prompt": f"question {n}", "completion": f"answer {n}"}) + "\n" for n in range(5))
TUNEDECK = [sys.executable, "-m", "tui.cli"]


def scan_piped(folder: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*TUNEDECK, "scan", "-", "--json"]
    return subprocess.run(words, input=data, cwd=folder, env=environment, capture_output=True, timeout=60)


def test_scan_reads_a_pipe_of_any_kind(tmp_path: Path) -> None:
    ended = scan_piped(tmp_path, ROWS.encode())
    facts = json.loads(ended.stdout)
    assert (facts["rows"], facts["format"], ended.returncode) == (5, "prompt-completion", 0)
    ended = scan_piped(tmp_path, b"")
    assert ended.returncode == 2
    assert b"nothing on standard input" in ended.stderr


def test_the_app_takes_data_from_a_pipe_and_keys_from_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    environment = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = f"cat rows.jsonl | {shlex.join(TUNEDECK)} -"
    with Terminal(["/bin/sh", "-c", command], env=environment, cwd=tmp_path) as terminal:
        terminal.wait_for("question 0")
        terminal.send("down")
        terminal.wait_for("row 2 ")
        terminal.send("q")
        assert terminal.wait_exit() == 0
