"""Tells whoever looks elsewhere that a run has ended: the terminal's bell, and its notification (OSC 9)."""

from __future__ import annotations

from core.clean import clean_line

ENDED = ("finished", "stopped", "failed", "lost")
"""States worth a bell when a run that is watched gets into them."""


def ring_words(name: str, words: str) -> str:
    """What is written to the terminal. The text is clean, so that it cannot end the sequence early.

    Args:
        name: of the run.
        words: how it ended.
    """
    return f"\x1b]9;{clean_line(f'tunedeck: {name} {words}', 120)}\x07\x07"
