"""Signals the end of a run: the terminal's bell, and a desktop notification (OSC 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from tui.terminal.fence import Part, holds

if TYPE_CHECKING:
    from textual.app import App

_ESC = "\x1b"

ENDED = ("finished", "stopped", "failed", "lost")
"""States that ring the bell when the shown run enters them."""


def bell_sequence(name: str, words: str, *, tmux: bool = False) -> str:
    """The bytes for the terminal. The text is clean, so that it cannot end the sequence early.

    Args:
        name: of the run.
        words: how it ended.
        tmux: whether this runs in tmux. It passes a bell on, but a notification only as a passthrough, and only if its
            option `allow-passthrough` is on.
    """
    notification = f"{_ESC}]9;{clean_line(f'tunedeck: {name} {words}', 120)}\x07"
    if tmux:
        notification = f"{_ESC}Ptmux;{notification.replace(_ESC, 2 * _ESC)}{_ESC}\\"
    return f"{notification}\x07"


def ring(app: App[Any], sequence: str) -> None:
    """Write `bell_sequence` to an app's terminal; only the bell if that is not possible."""
    if app.is_headless:
        return
    driver = app._driver if holds(Part.RING) else None
    if driver is not None:
        driver.write(sequence)
    else:
        app.bell()
