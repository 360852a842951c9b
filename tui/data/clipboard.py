"""What the terminal's clipboard takes, and what is honest to say of it."""

from __future__ import annotations

import os

MOST = 74_994
"""Bytes of text that terminals take by OSC 52; of more than that many of them drop all, without a word."""


def cut(text: str) -> str:
    """The beginning of a text that the clipboard takes, no character in halves."""
    found = text.encode("utf-8", "replace")
    return text if len(found) <= MOST else found[:MOST].decode("utf-8", "ignore")


def caution() -> str:
    """Who may keep it from the clipboard: nobody tells a program whether it came there."""
    if os.environ.get("TMUX"):
        return "tmux passes it on only with `set -g set-clipboard on`."
    if os.environ.get("STY"):
        return "GNU screen does not pass it on; w writes a file."
    return "Some terminals do not take it, and none says so."
