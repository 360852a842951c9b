"""Terminals of other kinds: without a screen, without UTF-8, with a mouse of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.data_screen import chat
from tests.kit.terminal import Terminal
from tests.kit.waiting import until

TUNEDECK = str(Path(sys.executable).parent / "tunedeck")
NO_LOCALE = dict.fromkeys(("LC_ALL", "LC_CTYPE", "LANG", "PYTHONIOENCODING", "TUNEDECK_GLYPHS"))
MOUSE = (b"?1000h", b"?1002h", b"?1003h", b"?1006h", b"?1015h", b"?1016h")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows in several scripts."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(chat(text) + "\n" for text in ("na\u00efve caf\u00e9", "\u65e5\u672c", "plain")))
    return path


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The environment of a user whose locale is en_US, which is ISO-8859-1."""
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not here to make the locale")
    folder = tmp_path_factory.mktemp("locale")
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("the C library has no sources of locales")
    return {**NO_LOCALE, "LANG": "en_US", "LOCPATH": str(folder)}


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
@pytest.mark.parametrize("words", [["rows.jsonl"], ["demo"]])
def test_a_terminal_without_a_screen_gets_a_sentence(rows: Path, term: str | None, words: list[str]) -> None:
    with Terminal([TUNEDECK, *words], env={"TERM": term}, cwd=rows.parent, cols=200) as terminal:
        assert terminal.wait_exit() == 2
        assert "TERM=xterm-256color" in terminal.text
        assert "tunedeck scan" in terminal.text
        assert b"\x1b" not in terminal.raw


def test_a_terminal_of_latin_1_gets_frames_of_ascii_and_its_own_letters(
    rows: Path, latin: dict[str, str | None]
) -> None:
    """Each corner was an escape: a backslash and `u256d`."""
    with Terminal([TUNEDECK, rows.name, "--no-mouse"], 100, 30, env=latin, cwd=rows.parent) as terminal:
        terminal.wait_for("scanned")
        raw = bytes(terminal.raw)
        assert b"\\u" not in raw
        assert "na\u00efve caf\u00e9".encode("iso8859-1") in raw
        assert "+-" in terminal.text
        assert b"????" in raw  # four cells for two characters that it does not have
        assert not [mode for mode in MOUSE if mode in raw]
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_the_mouse_is_reported_unless_the_user_says_otherwise(rows: Path) -> None:
    with Terminal([TUNEDECK, rows.name], cwd=rows.parent) as terminal:
        terminal.wait_for("scanned")
        assert b"?1006h" in terminal.raw
    home = rows.parent / "config"
    (home / "tunedeck").mkdir(parents=True)
    (home / "tunedeck" / "settings.toml").write_text("mouse = false\n")
    with Terminal([TUNEDECK, rows.name], env={"XDG_CONFIG_HOME": str(home)}, cwd=rows.parent) as terminal:
        terminal.wait_for("scanned")
        assert not [mode for mode in MOUSE if mode in terminal.raw]


def test_with_standard_error_in_a_file_the_app_says_why_it_cannot_be_shown(rows: Path) -> None:
    argv = ["sh", "-c", f"exec {TUNEDECK} {rows.name} 2>errors"]
    with Terminal(argv, cwd=rows.parent) as terminal:
        assert terminal.wait_exit() == 2
    assert "standard error" in (rows.parent / "errors").read_text()


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_after_a_suspension_the_screen_is_drawn_again(rows: Path, number: signal.Signals) -> None:
    """The terminal's other screen is blank when the program comes back to it; Textual drew nothing."""
    with Terminal([TUNEDECK, rows.name], cwd=rows.parent) as terminal:
        terminal.wait_for("scanned")
        terminal.settle()
        terminal.kill(number)
        until(lambda: b" T " in Path(f"/proc/{terminal.pid}/stat").read_bytes(), "the program is stopped")
        terminal.settle()
        seen = len(terminal.raw)
        terminal.kill(signal.SIGCONT)
        terminal.wait_until(lambda _: b"1 DATA" in terminal.raw[seen:], what="the header, sent again")


def headless(rows: Path, environment: dict[str, str | None], *words: str) -> bytes:
    """What a headless command prints into a pipe."""
    inherited = {name: value for name, value in os.environ.items() if name not in NO_LOCALE}
    given = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run([TUNEDECK, *words], env={**inherited, **given}, cwd=rows.parent, capture_output=True)
    assert done.returncode in (0, 2), done.stderr
    return done.stdout + done.stderr


def test_what_is_printed_into_a_pipe_is_utf_8_whatever_the_locale(rows: Path, latin: dict[str, str | None]) -> None:
    name = "caf\u00e9-\u65e5.jsonl"
    said = [
        headless(rows, environment, "scan", name).decode("utf-8")
        for environment in (latin, {"LANG": "C"}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"})
    ]
    assert said[1] == said[2] == said[3]
    assert name in said[3]
    found = json.loads(headless(rows, latin, "scan", rows.name, "--json"))
    assert found["rows"] == 3


@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LC_ALL": "C"}, {}])
def test_lines_on_a_terminal_without_a_locale_are_readable(rows: Path, locale: dict[str, str | None]) -> None:
    with Terminal([TUNEDECK, "scan", rows.name], 100, 40, env={**NO_LOCALE, **locale}, cwd=rows.parent) as terminal:
        assert terminal.wait_exit() == 0
        assert "3" in terminal.text
        assert "\\u" not in terminal.text
        assert "\\x" not in terminal.text
