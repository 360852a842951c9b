"""CPU, memory and family of processes, as `/proc` has them."""

from __future__ import annotations

import os
import subprocess
import sys

from core.gpu import host
from core.gpu.host import ProcessMeter, ProcessReading
from tests.kit.waiting import until

BUSY = """
import subprocess, sys
memory = bytearray(40_000_000)
memory[::4096] = b"x" * len(memory[::4096])
child = subprocess.Popen([sys.executable, "-c", "print('busy', flush=True)\\nwhile True: pass"])
child.wait()
"""


def test_process_is_measured_with_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"busy\n"
        meter = ProcessMeter(parent.pid)
        first = meter.read()
        (child,) = host.children(parent.pid)
        try:
            assert first.pids == (parent.pid, child)
            assert first.rss > 40_000_000
            assert first.cpu is None, "a rate needs two readings"
            found = until(lambda: (now := meter.read()).cpu and now, "the child's work shows")
            assert isinstance(found, ProcessReading)
            assert found.cpu is not None
            assert 0 < found.cpu <= 400
        finally:
            os.kill(child, 9)
    assert meter.read() == ProcessReading((), 0, 0.0)
    assert host.tree(parent.pid) == []


def test_name_with_brackets_and_spaces_does_not_shift_the_fields() -> None:
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) Z 1 (b'); print('named', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as odd:
        assert odd.stdout is not None
        assert odd.stdout.readline() == b"named\n"
        assert host.stat_fields(odd.pid)[1] == str(os.getpid())
        assert odd.pid in host.children(os.getpid())
        odd.communicate()


def test_machine_has_memory_and_a_boot() -> None:
    total, free = host.memory()
    assert total is not None
    assert free is not None
    assert 0 < free <= total
    assert len(host.boot_id()) == 36
    assert host.cpus() >= 1
