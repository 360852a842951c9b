"""ctrl+z stops the program as in any other, also in a menu; after `fg` the screen is whole again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.kit.terminal import Terminal
from tests.kit.walk import desk_data, open_deck


def stopped(terminal: Terminal) -> bool:
    return Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def suspend_and_resume(terminal: Terminal, shown: str) -> None:
    terminal.wait_for(shown)
    began = len(terminal.raw)
    terminal.send("\x1a")
    terminal.wait_until(lambda _: stopped(terminal), what="the program stopped")
    terminal.wait_until(lambda _: b"\x1b[?1049l" in terminal.raw[began:], what="the shell's own screen")
    left = len(terminal.raw)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait_until(lambda _: shown.encode() in terminal.raw[left:], what="the whole picture again")
    assert b"\x1b[?1049h" in terminal.raw[left:]


def test_ctrl_z_suspends_on_every_screen_and_the_picture_comes_back(tmp_path: Path) -> None:
    desk_data(tmp_path)
    with open_deck(tmp_path, "tickets.jsonl") as terminal:
        terminal.wait_for("scanned")
        terminal.settle()
        suspend_and_resume(terminal, "scanned")
        terminal.send("2")
        terminal.wait_for("should you fine-tune?")
        terminal.send("escape")
        terminal.wait_for("RECIPE")
        terminal.send("f8")
        terminal.wait_for("QLoRA")
        suspend_and_resume(terminal, "QLoRA")  # also from a menu
        terminal.send("escape")
        terminal.wait_gone("esc cancel")
        terminal.send("ctrl+q")
        assert terminal.wait_exit() == 0
