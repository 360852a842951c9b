"""The gauges for a minute beside nvitop: bytes on the wire and CPU, from one driver whose readings change each second.

Keeper and pynvml are real, and so is nvitop; the driver's library is the stand-in of the tests. Ours is the whole live
screen of a run that logs nothing meanwhile, so its gauges, its clocks and what is beside them are all that is sent.
"""

from __future__ import annotations

import random
import shlex
import sys
import tempfile
import time
from pathlib import Path

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from tests.benchmarks.live_cpu import cpu_seconds
from tests.benchmarks.peers import NoPeer, peer
from tests.benchmarks.table import Row
from tests.kit import nvml
from tests.kit.killing import kill
from tests.kit.terminal import Terminal
from tests.kit.waiting import until

WIDTH, HEIGHT = 80, 24
SECONDS = 60
GIB = 1 << 30


def run() -> list[Row]:
    """A minute with both."""
    cc = nvml.compiler()
    if cc is None:
        return [Row("gauges", float("nan"), "", note="skipped: no C compiler to build the stand-in library")]
    try:
        nvitop = peer("nvitop", "nvitop") / "nvitop"
    except NoPeer as error:
        return [Row("gauges", float("nan"), "", note=f"skipped: {error}")]
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        readings = workspace / "readings.txt"
        folder = JobFolder.create(workspace / "runs", "a run", "training")
        _say(readings, random.Random(1), 0)
        found = nvml.environment(nvml.build(workspace, cc), readings)
        keeper = launch(folder, [["sleep", "600"]], env=found)
        try:
            until(lambda: folder.read_status().worker is not None, "the keeper has said who the worker is")
            worker = folder.read_status().worker
            assert worker is not None
            return _minute(workspace, folder, readings, worker.pid, str(nvitop), found)
        finally:
            worker = folder.read_status().worker
            kill(*([worker.pid] if worker is not None else []))
            until(lambda: not process.is_alive(keeper), "the keeper ends")


def _minute(
    workspace: Path, folder: JobFolder, readings: Path, worker: int, nvitop: str, found: dict[str, str]
) -> list[Row]:
    noise = random.Random(2)
    quiet = ["sh", "-c", f"exec {shlex.quote(nvitop)} 2>/dev/null"]  # it writes what the driver cannot do over itself
    attach = [str(Path(sys.executable).parent / "tunedeck"), "attach", folder.id]
    with Terminal(attach, WIDTH, HEIGHT, cwd=workspace) as ours, Terminal(quiet, WIDTH, HEIGHT, env=found) as theirs:
        ours.wait_for("GiB", 30)
        theirs.wait_for("GPU-Util", 30)
        both = (ours, theirs)
        for second in range(-8, SECONDS + 1):
            if second == 0:
                wire, cpu = [len(one.raw) for one in both], [cpu_seconds(one.pid) for one in both]
            until_then = time.monotonic() + 1
            _say(readings, noise, worker)
            while time.monotonic() < until_then:
                for one in both:
                    one.settle(0.0, 0.05)
        sent = [(len(one.raw) - before) / SECONDS for one, before in zip(both, wire, strict=True)]
        used = [100 * (cpu_seconds(one.pid) - before) / SECONDS for one, before in zip(both, cpu, strict=True)]
    at = f"gauges and clocks at {WIDTH}x{HEIGHT}"
    return [
        Row(
            f"{at}, bytes sent",
            sent[0],
            "B/s",
            f"nvitop {sent[1]:,.0f} B/s",
            sent[0] / sent[1],
            "<= 1",
            sent[0] <= sent[1],
        ),
        Row(f"{at}, CPU", used[0], "%", f"nvitop {used[1]:.3g} %", used[0] / used[1], "<= 1", used[0] <= used[1]),
    ]


def _say(readings: Path, noise: random.Random, worker: int) -> None:
    """Write the readings of one busy GPU, different each second."""
    used = 61 * GIB + noise.randrange(1 << 27)
    lines = [
        "driver gpus 1",
        "0 uuid GPU-0",
        "0 name NVIDIA H100 80GB HBM3",
        f"0 memory {80 * GIB} {used}",
        f"0 utilization {noise.randrange(90, 100)}",
        f"0 temperature {noise.randrange(64, 70)}",
        f"0 power {1000 * noise.randrange(400, 460)}",
        "0 limit 700000",
        "0 throttle 0",
        f"0 process {worker or 1} {59 * GIB}",
    ]
    new = readings.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.replace(readings)
