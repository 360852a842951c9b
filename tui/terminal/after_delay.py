"""Going on in a few milliseconds, so that keys come first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.widget import Widget


def after_delay(widget: Widget, seconds: float, callback: Callable[[], None]) -> None:
    """Call something of a widget after a short time; not at all where the widget is gone by then.

    Textual's `set_timer` is not for this: a timer whose time is over before it has begun to wait, as happens on a busy
    machine with one of a few milliseconds, is never called.
    """

    def call() -> None:
        if widget.is_running:
            widget.call_next(callback)

    asyncio.get_running_loop().call_later(seconds, call)
