"""The layer's entry points: each of its parts, or what Textual's public names can do instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from tui.terminal.fence import Part, holds

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver
    from textual.screen import Screen


def driver_class(usual: type[Driver]) -> type[Driver]:
    """The terminal driver: on Linux one of ours, in which pastes hold no keys; otherwise Textual's usual one."""
    if sys.platform != "linux":
        return usual
    if holds(Part.DRIVER):
        from tui.terminal.driver import SleepingDriver

        return SleepingDriver
    from tui.terminal.plain_driver import PlainDriver

    return PlainDriver


class Frames(Protocol):
    """How an app's pictures reach the terminal.

    Attributes:
        sent: whether what the app has just displayed went to the terminal; asked in `App.post_display_hook`.
    """

    @property
    def sent(self) -> bool:
        """See above."""

    def forget(self, told: float = inf) -> bool:
        """The terminal may show anything now: the next picture must be whole.

        Args:
            told: monotonic time of the event that says so.

        Returns:
            Whether this is news: an event from before the first picture says nothing about it.
        """


class PlainFrames:
    """Textual's own frames: nothing is sent while the app gathers updates."""

    def __init__(self, app: App[Any]) -> None:
        self._batches = 0
        gather = app.batch_update

        @contextmanager
        def batch_update() -> Iterator[None]:
            self._batches += 1
            try:
                with gather():
                    yield
            finally:
                self._batches -= 1

        app.batch_update = batch_update  # type: ignore[method-assign]

    @property
    def sent(self) -> bool:
        """Whether what the app has just displayed went to the terminal."""
        return not self._batches

    def forget(self, told: float = inf) -> bool:
        """Nothing is remembered."""
        return True


def frames(app: App[Any]) -> Frames:
    """Take over an app's way to the terminal, once its own `__init__` is done."""
    if not holds(Part.FRAMES):
        return PlainFrames(app)
    from tui.terminal.wire import LeanFrames

    return LeanFrames(app)


def lean_screen(screen: Screen[Any]) -> None:
    """Make a new screen render only what has changed."""
    if holds(Part.COMPOSITOR):
        from tui.terminal.lean_compositor import LeanCompositor

        screen._compositor = LeanCompositor()
