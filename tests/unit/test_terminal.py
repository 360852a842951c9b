"""The pseudo-terminal driver tells the truth about the program in it: the end-to-end tests rest on that."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.kit.terminal import Terminal

ECHO = """
import os, shutil, signal, sys, termios, tty
tty.setcbreak(0)
def size(*_):  # a signal may come while something is being printed, and `print` cannot be entered twice
    os.write(1, b"size %dx%d\\n" % shutil.get_terminal_size())
signal.signal(signal.SIGWINCH, size)
size()
while key := sys.stdin.read(1):
    print(f"got {ord(key)}", flush=True)
    if key == "q":
        sys.exit(7)
"""


def echo(cols: int = 40, rows: int = 10) -> Terminal:
    return Terminal([sys.executable, "-c", ECHO], cols=cols, rows=rows, env={"COLUMNS": None, "LINES": None})


def test_keys_reach_the_program_and_its_answer_the_screen() -> None:
    with echo() as terminal:
        terminal.wait_for("size 40x10")
        terminal.send("a", "enter")
        terminal.wait_for("got 97")
        terminal.send("ctrl+a")
        terminal.wait_for("got 1\n")
        assert b"got 97" in terminal.raw


def test_the_program_hears_of_a_new_size() -> None:
    with echo() as terminal:
        terminal.wait_for("size 40x10")
        terminal.resize(60, 20)
        terminal.wait_for("size 60x20")
        assert len(terminal.lines) == 20


def test_the_exit_code_is_the_programs() -> None:
    with echo() as terminal:
        terminal.wait_for("size")
        terminal.send("q")
        assert terminal.wait_exit(10) == 7
        assert not terminal.alive


def test_a_hang_up_ends_the_program_by_its_signal() -> None:
    with echo() as terminal:
        terminal.wait_for("size")
        terminal.close()
        assert terminal.wait_exit(10) == -signal.SIGHUP


def test_a_wait_in_vain_shows_the_screen_and_the_ending() -> None:
    program = [sys.executable, "-c", "print('last words')"]
    with (
        Terminal(program, cols=30, rows=5) as terminal,
        pytest.raises(AssertionError, match=r"ended with 0(.|\n)*last words"),
    ):
        terminal.wait_for("never", timeout=10)


def test_nothing_is_left_of_the_program_after_the_block() -> None:
    with echo() as terminal:
        terminal.wait_for("size")
    with pytest.raises(ProcessLookupError):
        os.kill(terminal.pid, 0)


def test_wide_characters_keep_the_columns() -> None:
    program = "print('\\u4f60\\u597d|', flush=True); input()"
    with Terminal([sys.executable, "-c", program], cols=30, rows=5) as terminal:
        terminal.wait_for("你好|")
        assert terminal.style_at(4, 0).data == "|"
