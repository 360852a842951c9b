"""Bytes to the terminal for whole pictures: each screen and the help, beside Textual's own frames in the same run.

The keys are pressed in three programs, one after the other: tunedeck, tunedeck with `--low-bandwidth`, and tunedeck
with `TUNEDECK_PLAIN=1`, whose frames are Textual's own. What `ssh -C` makes of the bytes is zlib's level 6 over the
whole stream, flushed after each picture.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zlib
from pathlib import Path

from core.paths import SAMPLE_DATA
from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal

TUNEDECK = str(Path(sys.executable).parent / "tunedeck")
SIZES = ((120, 40), (80, 24))
STAGES = (
    ("Data", ""),
    ("open help", "?"),
    ("close help", "escape"),
    ("next row", "down"),
    ("Recipe", "2"),
    ("Runs", "6"),
    ("back to Data", "1"),
)
"""What is drawn, and the key that draws it."""

LEAST = 200
"""Bytes of the smallest of these pictures; fewer may be a spinner or a clock."""

MODES = {"normal": ({}, []), "low": ({}, ["--low-bandwidth"]), "plain": ({"TUNEDECK_PLAIN": "1"}, [])}
QUIET = 1.0
"""Seconds without a byte after which a picture is whole."""

BARS = {"normal": 0.25, "low": 0.2}
"""The share of Textual's own bytes that all pictures together may take."""


def run() -> list[Row]:
    """Both sizes."""
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        for file in ("support_train.jsonl", "support_eval.jsonl"):
            shutil.copy(SAMPLE_DATA / file, workspace)
        _bytes(workspace, (80, 24), "normal")  # the scan is kept: every program measured finds it
        return [row for size in SIZES for row in _rows(workspace, size)]


def _rows(workspace: Path, size: tuple[int, int]) -> list[Row]:
    found = {mode: _bytes(workspace, size, mode) for mode in MODES}
    at = f"{size[0]}x{size[1]}"
    rows = []
    for number, (stage, _) in enumerate(STAGES):
        theirs = found["plain"][number][0]
        for mode, words in (("normal", ""), ("low", ", --low-bandwidth")):
            sent, packed = found[mode][number]
            note = f"{packed:,} B through ssh -C"
            rows.append(Row(f"{stage} at {at}{words}", sent, "B", f"Textual {theirs:,} B", sent / theirs, note=note))
    whole = {mode: tuple(map(sum, zip(*found[mode], strict=True))) for mode in MODES}
    theirs = whole["plain"][0]
    for mode, bar in BARS.items():
        sent, packed = whole[mode]
        words = ", --low-bandwidth" if mode == "low" else ""
        note = f"{packed:,} B through ssh -C ({packed / sent:.0%})"
        ratio = sent / theirs
        rows.append(
            Row(
                f"all screens at {at}{words}",
                sent,
                "B",
                f"Textual {theirs:,} B",
                ratio,
                f"<= {bar}",
                ratio <= bar,
                note,
            )
        )
    packed = whole["plain"][1]
    note = "compression alone"
    rows.append(
        Row(
            f"all screens at {at}, Textual through ssh -C",
            packed,
            "B",
            f"without {theirs:,} B",
            packed / theirs,
            note=note,
        )
    )
    return rows


def _bytes(workspace: Path, size: tuple[int, int], mode: str) -> list[tuple[int, int]]:
    """The bytes of each stage, as they are and compressed."""
    environment, options = MODES[mode]
    packer = zlib.compressobj(6)
    found, seen = [], 0
    argv = [TUNEDECK, "support_train.jsonl", "--eval", "support_eval.jsonl", *options]
    with Terminal(argv, *size, env=environment, cwd=workspace) as terminal:
        for number, (_, key) in enumerate(STAGES):
            if number:
                terminal.send(key)
            _drawn(terminal, seen + LEAST)
            terminal.settle(QUIET if number else 3 * QUIET)
            drawn, seen = bytes(terminal.raw[seen:]), len(terminal.raw)
            found.append((len(drawn), len(packer.compress(drawn) + packer.flush(zlib.Z_SYNC_FLUSH))))
    return found


def _drawn(terminal: Terminal, size: int) -> None:
    """Wait until so many bytes have arrived since the start."""
    terminal.wait_until(lambda _: len(terminal.raw) > size, what="the picture")
