"""The app ends when its terminal goes away, also where no SIGHUP comes; at SIGTERM it leaves the terminal as it was."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

from tests.kit.waiting import PATIENCE
from tests.kit.walk import ENV, TUNEDECK, open_deck


def read_until(descriptor: int, wanted: bytes, seconds: float = PATIENCE) -> bytes:
    """What the program writes, until a text has come."""
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{wanted!r} did not come; the program wrote {seen[-500:]!r}"
        seen += os.read(descriptor, 1 << 16)
    return seen


def test_without_a_controlling_terminal_the_app_ends_at_the_hang_up_and_does_not_spin(tmp_path: Path) -> None:
    """Nobody sends SIGHUP there, and Textual alone would read the dead descriptor for ever."""
    master, slave = pty.openpty()
    environment = {**os.environ, **ENV, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    program = subprocess.Popen(
        TUNEDECK, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
    )
    os.close(slave)
    read_until(master, b"tunedeck")
    os.close(master)
    assert program.wait(timeout=PATIENCE) != 0


def test_sigterm_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with open_deck(tmp_path) as terminal:
        terminal.wait_for("quit")
        terminal.kill(signal.SIGTERM)
        assert terminal.wait_exit() == 143
        assert terminal.raw.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?1049l" in terminal.raw


def test_a_terminal_of_20_by_5_says_what_it_needs_and_grows_again(tmp_path: Path) -> None:
    with open_deck(tmp_path, cols=20, rows=5) as terminal:
        terminal.wait_for("20x5")
        terminal.resize(80, 24)
        terminal.wait_for("quit")
        terminal.resize(60, 20)
        terminal.wait_for("1 DATA")
        terminal.send("q")
        assert terminal.wait_exit() == 0
