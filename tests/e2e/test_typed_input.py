"""What reaches the program through a real terminal without being typed at what is seen: it decides nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.dataset.audit.store import read_ledger
from core.paths import ROOT
from tests.kit.data_screen import chat
from tests.kit.terminal import Terminal


@pytest.fixture
def colors(tmp_path: Path) -> Path:
    """Twenty rows; row 3 holds an escape sequence and `dq`."""
    rows = [chat(f"question {number}") for number in range(1, 21)]
    rows[2] = chat("colour [0mdq")
    path = tmp_path / "colours.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def open_program(path: Path, typed_ahead: str = "") -> Terminal:
    environment = {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(path.parent / "cache"),
        "XDG_CONFIG_HOME": str(path.parent / "config"),
    }
    program = [sys.executable, "-m", "tui.cli", str(path)]
    return Terminal(program, env=environment, cwd=path.parent, typed_ahead=typed_ahead)


def verdicts(path: Path) -> list[str]:
    return [each.verdict for each in read_ledger(path.parent).standings().values() if each.verdict]


def test_pasted_text_is_no_keys_on_data_and_text_in_a_field(colors: Path) -> None:
    with open_program(colors) as terminal:
        terminal.wait_for("scanned")
        terminal.send("\x1b[200~colour \x1b[0mdq\x1b[201~")
        terminal.send("a")
        terminal.wait_for("kept 1")
        terminal.send("/", "\x1b[200~colour \x1b[0mdq\r\x1b[201~", "enter")
        terminal.wait_for("1 row containing")
        assert "colour [0mdq" in terminal.text
        assert "dropped 0" in terminal.text.lower()
        assert verdicts(colors) == ["keep"], "what was pasted has decided nothing"
        assert terminal.alive


def test_keys_typed_before_the_first_picture_drop_no_row(colors: Path) -> None:
    with open_program(colors, typed_ahead="ddd") as terminal:
        terminal.wait_for("scanned")
        terminal.send("a")
        terminal.wait_for("kept 1")
        assert "dropped 0" in terminal.text.lower()
        assert verdicts(colors) == ["keep"]


def test_keys_typed_ahead_of_a_screen_are_typed_at_nothing(colors: Path) -> None:
    with open_program(colors) as terminal:
        terminal.wait_for("scanned")
        terminal.send("5")
        terminal.wait_for("5 EXPORT")
        terminal.send("1ddd")  # one read: the three were typed before Data was painted again
        terminal.wait_for("1 DATA")
        terminal.send("a")
        terminal.wait_for("kept 1")
        assert verdicts(colors) == ["keep"]
