"""Programs that a benchmark starts end with it, and so does whatever these have started, also when it breaks off."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from core.jobs.process import identify
from tests.benchmarks.live_cpu import descendants
from tests.kit.killing import kill
from tests.kit.waiting import until

_SET_CHILD_SUBREAPER = 36
"""The request of prctl(2) by which orphans come to this process instead of to init."""


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Ends every process that was started within: children, their children, and daemons among them."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    before = set(descendants(os.getpid()))

    def started() -> list[int]:
        return [pid for pid in descendants(os.getpid()) if pid not in before]

    def all_ended() -> bool:
        running = [pid for pid in started() if identify(pid) is not None]
        kill(*running)  # again and again: one of them may just have started another
        return not running

    try:
        yield
    finally:
        until(all_ended, "the processes that were started end")
        for pid in started():
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
