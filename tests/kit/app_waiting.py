"""Waiting in an app under test until something holds that a thread or another process brings about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from textual._context import active_app
from textual.app import App
from textual.pilot import Pilot

from tests.kit.waiting import PATIENCE

T = TypeVar("T")
_PERIOD = 0.01

_TURNS = 5
"""Turns of the event loop in which nothing happens, after which nothing will without a thread, a timer or a key."""

_MOST_TURNS = 5_000
"""Turns after which an app that never rests is left to itself."""


async def until(pilot: Pilot[Any], holds: Callable[[], T], what: str = "it comes about") -> T:
    """Let the app work until a condition holds, have that drawn, and return its first true value.

    Raises:
        AssertionError: it did not hold in time; names what was waited for, and what the screen shows instead.
    """
    deadline = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < deadline, f"waited in vain: {what}. The screen:\n{_shown(pilot)}"
        await pilot.pause(_PERIOD)
    await pilot.pause()
    return value


async def settled(*_: float) -> None:
    """Let the app work until no message waits in it and everything that has changed is drawn.

    It stands in for Textual's `wait_for_idle`, which looks at the processor: on a busy machine a program seems idle
    before it has done anything. What threads, timers and other processes bring about is for `until`.
    """
    app = active_app.get()
    still = 0
    for _turn in range(_MOST_TURNS):
        await asyncio.sleep(0)
        still = 0 if _works(app) else still + 1
        if still == _TURNS:
            if not _is_dirty(app):
                return
            app.screen._on_timer_update()
            still = 0


def _works(app: App[object]) -> bool:
    resizes = app._resize_timer is not None
    return resizes or any(node.message_queue_size or node._next_callbacks for node in [app, *app._registry])


def _is_dirty(app: App[object]) -> bool:
    screen = app.screen
    return bool(screen._dirty_widgets or screen._layout_required or screen._scroll_required or screen._repaint_required)


def _shown(pilot: Pilot[Any]) -> str:
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines)
