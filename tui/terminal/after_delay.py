"""Continues a few milliseconds later, so that keys come first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.widget import Widget


def after_delay(widget: Widget, seconds: float, callback: Callable[[], None]) -> None:
    """Call a function of a widget after a short delay, unless the widget is gone by then.

    Textual's `set_timer` does not work for this: a timer of a few milliseconds that expires before it starts to wait,
    as happens on a busy machine, is never called.
    """

    def call() -> None:
        if widget.is_running:
            widget.call_next(callback)

    asyncio.get_running_loop().call_later(seconds, call)
