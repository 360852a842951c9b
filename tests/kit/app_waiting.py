"""Waiting in an app under test until something holds that a thread or another process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from textual.pilot import Pilot

from tests.kit.waiting import PATIENCE

T = TypeVar("T")
_PERIOD = 0.01


async def until(pilot: Pilot[int], holds: Callable[[], T], what: str = "it comes about") -> T:
    """Let the app work until a condition holds, and return its first true value.

    Raises:
        AssertionError: it did not hold in time; names what was waited for, and what the screen shows instead.
    """
    deadline = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < deadline, f"waited in vain: {what}. The screen:\n{_shown(pilot)}"
        await pilot.pause(_PERIOD)
    return value


def _shown(pilot: Pilot[int]) -> str:
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines)
