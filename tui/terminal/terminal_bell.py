"""Tells whoever looks elsewhere that a run has ended: the terminal's bell, and its notification (OSC 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from tui.terminal.fence import Part, holds

if TYPE_CHECKING:
    from textual.app import App

_ESC = "\x1b"

ENDED = ("finished", "stopped", "failed", "lost")
"""States worth a bell when a run that is watched gets into them."""


def bell_sequence(name: str, words: str, *, tmux: bool = False) -> str:
    """What is written to the terminal. The text is clean, so that it cannot end the sequence early.

    Args:
        name: of the run.
        words: how it ended.
        tmux: whether tmux stands between. It hands a bell on by itself, a notification only as a passthrough, and
            that where its option `allow-passthrough` is on; else it drops it.
    """
    notification = f"{_ESC}]9;{clean_line(f'tunedeck: {name} {words}', 120)}\x07"
    if tmux:
        notification = f"{_ESC}Ptmux;{notification.replace(_ESC, 2 * _ESC)}{_ESC}\\"
    return f"{notification}\x07"


def ring(app: App[Any], sequence: str) -> None:
    """Write `bell_sequence` to an app's terminal; the bell alone where that cannot be done."""
    if app.is_headless:
        return
    driver = app._driver if holds(Part.RING) else None
    if driver is not None:
        driver.write(sequence)
    else:
        app.bell()
