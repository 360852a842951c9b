"""Two guards between the program and its terminal: no raw control characters out, and an exit at hang-up."""

from __future__ import annotations

import os
import select
import sys
import threading

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from core.clean import clean_line, is_hostile


class ControlFilter(LineFilter):
    """The second guard after `core.clean`: whatever a widget draws, control characters become glyphs here."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments; those with a control character are cleaned (a newline in a strip is one as well)."""
        if not any(is_hostile(text) or "\n" in text or "\r" in text for text, _, _ in segments):
            return segments
        return [Segment(clean_line(text, limit=100_000), style) for text, style, _ in segments]


def exit_on_hangup() -> None:
    """End the process when its terminal goes away.

    Without a controlling terminal no SIGHUP arrives, and Textual's reader then spins on a dead file descriptor. A
    thread that polls standard input for no events wakes up only at the hang-up. Nothing is lost: decisions are on disk,
    and each run has its own keeper.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (ValueError, OSError):
        return
    poller = select.poll()
    poller.register(descriptor, 0)

    def wait() -> None:
        while True:
            for _, event in poller.poll():
                if event & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    os._exit(129)

    threading.Thread(target=wait, name="hang-up watch", daemon=True).start()
