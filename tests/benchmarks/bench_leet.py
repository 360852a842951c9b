"""The live screen for a minute beside W&B's terminal viewer and htop: CPU, bytes on the wire, delay of a new point.

All programs run at once, each in a pseudo-terminal of its own, on the same work: one line of metrics and one GPU sample
a second, a line of log in ten seconds, the log panel open. (Without a GPU leet samples the machine once a second.)
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from core.jobs.folder import JobFolder
from tests.benchmarks.leftovers import nothing_left_behind
from tests.benchmarks.live_cpu import cpu_seconds
from tests.benchmarks.live_runs import EXTRAS, gpu, make_run, metrics
from tests.benchmarks.peers import NoPeer, peer
from tests.benchmarks.table import Row
from tests.kit.terminal import Terminal
from tui.live.metrics import headline_words

BIN = Path(sys.executable).parent
FEEDER = Path(__file__).with_name("leet_feeder.py")
SIZES = ((120, 40), (80, 24))
SECONDS = 60
HISTORY, OF = 200, 3_000
WIRE_BAR = {(120, 40): 2_000, (80, 24): 1_000}
DELAY_BAR = 1.5


@dataclass
class Watched:
    """A program in its terminal and what was measured of it."""

    terminal: Terminal
    cpu: float = 0.0
    wire: int = 0
    delays: list[float] = field(default_factory=list)
    awaited: list[tuple[str, float]] = field(default_factory=list)

    def begin(self) -> None:
        """Start counting."""
        self.cpu, self.wire = cpu_seconds(self.terminal.pid), len(self.terminal.raw)

    def end(self) -> None:
        """Stop counting."""
        self.cpu = cpu_seconds(self.terminal.pid) - self.cpu
        self.wire = len(self.terminal.raw) - self.wire

    def await_value(self, words: str) -> None:
        """A value was logged just now; the last but one is no longer awaited."""
        self.awaited = [*self.awaited[-1:], (words, time.monotonic())]

    def look(self) -> None:
        """Note the delays of values that are on the screen now, or behind a newer one that is."""
        if not self.awaited:
            return
        screen = self.terminal.text
        newest = max((at for at, (words, _) in enumerate(self.awaited) if words in screen), default=-1)
        self.delays += [time.monotonic() - logged for _, logged in self.awaited[: newest + 1]]
        del self.awaited[: newest + 1]


Programs = dict[tuple[str, tuple[int, int]], Watched]


def run() -> list[Row]:
    """A minute with all of them."""
    with tempfile.TemporaryDirectory() as name, nothing_left_behind():
        workspace = Path(name)
        folder = make_run(workspace, HISTORY, OF, extras=EXTRAS[:2])
        past = random.Random(2)
        for second in range(HISTORY, 0, -1):
            folder.append_gpu(gpu(time.time() - second, past))
        feeder, missing = _feeder(workspace)
        programs: Programs = {}
        for size in SIZES:
            programs.update(_start(workspace, folder, size, with_leet=feeder is not None))
        _settle(programs)
        _minute(folder, feeder, programs)
        return _rows(programs, missing)


def _feeder(workspace: Path) -> tuple[subprocess.Popen[str] | None, str]:
    """The peer's run with its history, or the reason why there is none."""
    try:
        python = peer("wandb", "wandb") / "python"
    except NoPeer as error:
        return None, str(error)
    argv = [str(python), str(FEEDER), str(workspace), str(HISTORY), str(OF)]
    feeder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert feeder.stdin is not None
    assert feeder.stdout is not None
    for record in metrics(range(1, HISTORY + 1), OF, extras=EXTRAS[:2]):
        feeder.stdin.write(json.dumps(_shared(record)) + "\n")
    feeder.stdin.flush()
    for line in feeder.stdout:
        if line.strip() == "ready":
            return feeder, ""
    return None, "wandb: the run could not be made"


def _shared(record: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in record.items() if key != "t"}


def _start(workspace: Path, folder: JobFolder, size: tuple[int, int], *, with_leet: bool) -> Programs:
    def terminal(*argv: str) -> Watched:
        return Watched(Terminal(list(argv), *size, cwd=workspace))

    attach = (str(BIN / "tunedeck"), "attach", folder.id)
    found = {
        ("tunedeck", size): terminal(*attach),
        ("low", size): terminal(*attach, "--low-bandwidth"),
    }
    if with_leet:
        leet = str(peer("wandb", "wandb") / "wandb")
        log = next((workspace / "wandb").glob("offline-run-*"))
        found["leet", size] = terminal(leet, "beta", "leet", str(log))
    if shutil.which("htop"):
        found["htop", size] = terminal("htop")
    return found


def _settle(programs: Programs) -> None:
    """Wait for the first screens, open the logs, and wait until the start is over."""
    for (name, _), watched in programs.items():
        screen = watched.terminal
        if name == "htop":
            screen.wait_for("PID", 30)
            continue
        screen.wait_for("Metrics" if name == "leet" else "mean of", 30)
        screen.send("4" if name == "leet" else "l")
    until = time.monotonic() + 6
    while time.monotonic() < until:
        _read(programs)


def _read(programs: Programs) -> None:
    for watched in programs.values():
        watched.terminal.settle(0.0, 0.02)
    os.sched_yield()


def _minute(folder: JobFolder, feeder: subprocess.Popen[str] | None, programs: Programs) -> None:
    """Log once a second, and look at the screens in between."""
    noise = random.Random(3)
    for watched in programs.values():
        watched.begin()
    begun = time.monotonic()
    for number, record in enumerate(metrics(range(HISTORY + 1, HISTORY + SECONDS + 1), OF, seed=4, extras=EXTRAS[:2])):
        record = {**record, "t": round(time.time(), 3)}
        said = f"step {record['step']}: loss {record['loss']:.4f}" if number % 10 == 0 else ""
        folder.append_metric(record)
        folder.append_gpu(gpu(time.time(), noise))
        folder.write_status(step=record["step"], heartbeat=time.time())
        if said:
            with open(folder.log, "a", encoding="utf-8") as file:
                file.write(said + "\n")
        if feeder is not None and feeder.stdin is not None:
            feeder.stdin.write(json.dumps({**_shared(record), **({"print": said} if said else {})}) + "\n")
            feeder.stdin.flush()
        ours, theirs = f"train {headline_words(record['loss'])}", f"{record['loss']!r}"[:10]
        for (name, _), watched in programs.items():
            if name != "htop":
                watched.await_value(theirs if name == "leet" else ours)
        while time.monotonic() < begun + number + 1:
            _read(programs)
            for watched in programs.values():
                watched.look()
            time.sleep(0.02)
    for watched in programs.values():
        watched.end()


def _rows(programs: Programs, missing: str) -> list[Row]:
    rows: list[Row] = []
    for size in SIZES:
        at = f"live at {size[0]}x{size[1]}"
        ours, low = programs["tunedeck", size], programs["low", size]
        leet, htop = programs.get(("leet", size)), programs.get(("htop", size))
        share = 100 * ours.cpu / SECONDS
        if leet is not None:
            rows.append(_against(f"{at}, CPU", share, "%", "leet", 100 * leet.cpu / SECONDS, 1 / 7))
            theirs = leet.wire / SECONDS
            rows.append(_against(f"{at}, bytes per new point", ours.wire / SECONDS, "B", "leet", theirs, 1.0))
        if htop is not None:
            rows.append(_against(f"{at}, CPU", share, "%", "htop", 100 * htop.cpu / SECONDS, 1.5))
        bar = WIRE_BAR[size]
        rate = ours.wire / SECONDS
        rows.append(Row(f"{at}, bytes sent", rate, "B/s", bar=f"<= {bar:,} B/s", met=rate <= bar))
        rows.append(_against(f"{at}, --low-bandwidth", low.wire / SECONDS, "B/s", "normal", rate, 0.5))
        rows.append(_delay(at, ours, leet))
    if missing:
        rows.append(Row("W&B leet", float("nan"), "", note=f"skipped: {missing}"))
    return rows


def _against(name: str, value: float, unit: str, peer_name: str, theirs: float, bar: float) -> Row:
    ratio = value / theirs if theirs else float("inf")
    return Row(name, value, unit, f"{peer_name} {theirs:,.4g} {unit}", ratio, f"<= {bar:.2g}", ratio <= bar)


def _delay(at: str, ours: Watched, leet: Watched | None) -> Row:
    """The 95th percentile; a value that never came counts as the longest."""
    late = sorted([*ours.delays, *[float("inf")] * (SECONDS - len(ours.delays))])[int(0.95 * SECONDS)]
    reported = f", of leet {len(leet.delays)}" if leet is not None else ""
    note = f"{len(ours.delays)} of {SECONDS} points shown within two seconds{reported}"
    return Row(
        f"{at}, delay of the newest point, p95", late, "s", bar=f"<= {DELAY_BAR} s", met=late <= DELAY_BAR, note=note
    )
