"""Waiting for something that another process does: by looking again and again, never by sleeping blindly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PERIOD = 0.01
PATIENCE = 120.0
"""Seconds. A machine that has much to do may take long to start a process; only a test that fails waits so long."""


def until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The condition's first true value.

    Raises:
        AssertionError: it did not come in time; names what was waited for.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        pause.wait(PERIOD)
    return value
