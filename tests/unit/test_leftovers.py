"""A benchmark ends what it has started, with its children and daemons, whether it succeeds or breaks off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.jobs.process import identify
from core.paths import SAMPLE_DATA
from tests.kit.waiting import until

# The peer leaves a daemon in a session of its own and a child that ignores SIGTERM and SIGHUP, and then ends itself.
PROGRAM = """
import subprocess, sys
from tests.benchmarks.leftovers import nothing_left_behind
before = subprocess.Popen(["sleep", "600"])
try:
    with nothing_left_behind():
        peer = "setsid sleep 600 >&- & echo $!; (trap '' TERM HUP; sleep 600 & wait) >&- & echo $!"
        done = subprocess.run(["sh", "-c", peer], stdout=subprocess.PIPE, text=True)
        print(*done.stdout.split(), flush=True)
        if sys.argv[1] == "fail":
            raise RuntimeError
finally:
    print("the one before" if before.poll() is None else "none", flush=True)
    before.kill()
"""


@pytest.mark.parametrize("how", ["succeed", "fail"])
def test_nothing_runs_on_after_a_benchmark(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=SAMPLE_DATA.parent, capture_output=True, text=True, timeout=120
    )
    pids, other = done.stdout.splitlines()
    assert len(pids.split()) == 2
    for pid in map(int, pids.split()):
        until(lambda pid=pid: identify(pid) is None, f"process {pid} ends")
    assert other == "the one before", "what ran before the benchmark is none of its business"
    assert ("RuntimeError" in done.stderr) == (how == "fail"), done.stderr
