"""Seconds from start to what the user wants to see, against the smallest Textual app; harlequin beside it."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.peers import NoPeer, peer
from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal

BIN = Path(sys.executable).parent
MINIMAL = Path(__file__).with_name("minimal_app.py")
ROUNDS = 11
FIRST_ROW = "Zebras of the first row"


def run() -> list[Row]:
    """Measure in turns, so that a busy moment affects all of them; the medians are compared."""
    with tempfile.TemporaryDirectory() as name:
        empty, with_file = Path(name, "empty"), Path(name, "file")
        empty.mkdir()
        with_file.mkdir()
        data = with_file / "chat.jsonl"
        data.write_text("".join(_row(n) for n in range(20_000)), encoding="utf-8")
        programs: dict[str, Callable[[], float]] = {
            "minimal": lambda: _until([sys.executable, str(MINIMAL)], empty, "the minimal app shows this"),
            "empty": lambda: _until([str(BIN / "tunedeck")], empty, "tunedeck", "quit"),
            "file": lambda: _until([str(BIN / "tunedeck"), str(data)], with_file, FIRST_ROW),
        }
        note = ""
        try:
            harlequin = peer("harlequin", "harlequin") / "harlequin"
            programs["harlequin"] = lambda: _until([str(harlequin)], empty, "Run Query")
        except NoPeer as error:
            note = f"harlequin skipped: {error}"
        seconds: dict[str, list[float]] = {label: [] for label in programs}
        for label, measure in programs.items():
            try:
                measure()  # the first start of each reads its files from the disk
            except AssertionError as error:
                if label != "harlequin":
                    raise
                note = f"harlequin skipped: {str(error).splitlines()[0]}"
        if note:
            programs.pop("harlequin", None)
        for _ in range(ROUNDS):
            for label, measure in programs.items():
                seconds[label].append(measure())
    median = {label: statistics.median(values) for label, values in seconds.items() if values}
    floor = median["minimal"]
    rows = [
        _against_floor("tunedeck, empty folder, to header and footer", median["empty"], floor, 1.6),
        _against_floor("tunedeck FILE, to the first row's text", median["file"], floor, 2.2),
    ]
    if "harlequin" in median:
        ratio = median["harlequin"] / floor
        rows.append(
            Row("harlequin (a peer), until its editor", median["harlequin"], "s", f"minimal app {floor:.3f} s", ratio)
        )
    else:
        rows.append(Row("harlequin", float("nan"), "s", note=note))
    return rows


def _row(number: int) -> str:
    text = FIRST_ROW if number == 0 else f"How do I export report {number}?"
    turns = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": f"Open Reports, then number {number}."},
    ]
    return json.dumps({"messages": turns}) + "\n"


def _until(argv: list[str], folder: Path, *texts: str) -> float:
    begun = time.perf_counter()
    # As for a user, modules are compiled once: without that a third of the time goes into compiling them again.
    compiled = {"PYTHONDONTWRITEBYTECODE": None}
    with Terminal(argv, cols=120, rows=40, cwd=folder, env=compiled) as terminal:
        terminal.wait_until(lambda screen: all(text in screen for text in texts), 60, what=" and ".join(texts))
        return time.perf_counter() - begun


def _against_floor(name: str, seconds: float, floor: float, bar: float) -> Row:
    ratio = seconds / floor
    return Row(name, seconds, "s", f"minimal app {floor:.3f} s", ratio, f"<= {bar}", ratio <= bar)
