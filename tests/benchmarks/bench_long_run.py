"""A long run: seconds until its curve is on the screen, and the memory that a million lines of metrics take."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from core.jobs.follow import Follower
from tests.benchmarks.live_cpu import cpu_seconds, resident
from tests.benchmarks.live_runs import make_run, metrics
from tests.benchmarks.table import Row
from tests.terminal import Terminal
from tui.live_run import LiveRun

BIN = Path(sys.executable).parent
STEPS = 100_000
OPEN_BAR = 1.5
MILLION = 1_000_000
FLAT_BAR = 1.25
ROUNDS = 5
MINIMAL = Path(__file__).with_name("minimal_app.py")


def run() -> list[Row]:
    """Opening 100,000 steps of 24 metrics; a million lines, a piece at a time."""
    return [*_opened(), *_replayed()]


def _opened() -> list[Row]:
    drawn, read, cpu, floor = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        folder = make_run(workspace, STEPS, STEPS)
        for number in range(ROUNDS + 1):
            begun = time.perf_counter()
            with Terminal([sys.executable, str(MINIMAL)], 120, 40) as terminal:
                terminal.wait_for("the minimal app shows this", 60)
                floor.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            with Terminal([str(BIN / "tunedeck"), "attach", folder.id], 120, 40, cwd=workspace) as terminal:
                terminal.wait_until(_whole_curve, 60, what="the whole curve")
                seconds, spent = time.perf_counter() - begun, cpu_seconds(terminal.pid)
                terminal.wait_until(lambda screen: "HEALTHY" in screen or "PLATEAU" in screen, 60, what="the verdict")
                if number:  # the first round reads its files from the disk
                    drawn.append(seconds)
                    read.append(time.perf_counter() - begun)
                    cpu.append((spent, cpu_seconds(terminal.pid)))
    middle, least = statistics.median(drawn), statistics.median(floor)
    first, whole = (statistics.median(each[at] for each in cpu) for at in (0, 1))
    return [
        Row(
            f"a run of {STEPS:,} steps with 24 metrics, on the screen",
            middle,
            "s",
            f"minimal app {least:.3f} s",
            middle / least,
            f"< {OPEN_BAR} s",
            middle < OPEN_BAR,
            f"median of {ROUNDS}, {first:.2f} s of it CPU; all read and judged after {statistics.median(read):.1f} s "
            f"with {whole:.1f} s CPU; W&B leet 14-19 s when it was measured",
        )
    ]


def _whole_curve(screen: str) -> bool:
    """Whether the newest step is in the step line and the curve reaches the right edge of the chart."""
    rows = [line for line in screen.splitlines()[2:24] if "│" in line]
    at_edge = any(0x2801 <= ord(char) <= 0x28FF for row in rows for char in row[70:76])
    return f"{STEPS:,} of {STEPS:,}" in screen and at_edge


def _replayed() -> list[Row]:
    """A day's run, read by a process of its own as the viewer reads it, while its file grows."""
    with tempfile.TemporaryDirectory() as name:
        folder = make_run(Path(name), 0, MILLION)
        run, follower = LiveRun(), Follower(folder)
        sizes: dict[int, int] = {}
        lines = 0
        begun, cpu = time.perf_counter(), 0.0
        with open(folder.metrics, "wb") as file:
            piece = [json.dumps(record).encode() + b"\n" for record in metrics(range(1, 10_001), MILLION)]
            for start in range(0, MILLION, len(piece)):
                file.write(b"".join(_later(line, start) for line in piece))
                file.flush()
                before = time.process_time()
                while True:
                    update = follower.poll(20_000, 0.1)
                    run.add(update)
                    lines += len(update.metrics)
                    if not update.more:
                        break
                cpu += time.process_time() - before
                sizes[lines] = resident(os.getpid())
        whole = time.perf_counter() - begun
    tenth = next(size for count, size in sizes.items() if count >= MILLION // 5)
    ratio = sizes[max(sizes)] / tenth
    return [
        Row(
            f"memory after {lines:,} lines of 24 metrics, against a fifth of them",
            sizes[max(sizes)] / 2**20,
            "MiB",
            f"{tenth / 2**20:.0f} MiB",
            ratio,
            f"<= {FLAT_BAR}",
            ratio <= FLAT_BAR,
            f"read in {cpu:.0f} s CPU, {whole:.0f} s in all with the writing; {len(run.loss):,} entries of the loss",
        )
    ]


def _later(line: bytes, steps: int) -> bytes:
    """The same record so many steps later: what differs is what places it."""
    moment, _, rest = line.partition(b', "step": ')
    step, _, rest = rest.partition(b",")
    return b'%s, "step": %d,%s' % (moment, int(step) + steps, rest)
