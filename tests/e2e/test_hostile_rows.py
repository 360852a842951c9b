"""Hostile rows on a real terminal: what the program writes to it is the program's own, whatever the rows hold."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from core.paths import ROOT, SAMPLE_DATA
from tests.kit.terminal import Terminal

PLANTED = SAMPLE_DATA / "hostile.jsonl"

CONTROL_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
UNFINISHED = re.compile(rb"\x1b(\[[0-?]*[ -/]*)?\Z")
"""The beginning of a sequence of which the rest has not been read yet."""

OWN_FINALS = frozenset(b"mHChlupq")
"""Final bytes of the sequences that the program itself draws with: style, place, modes, keyboard protocol, queries."""

OWN_COMMAND = re.compile(rb"\x1b\]22;[a-z-]*\x07")
"""The shape of the mouse pointer, which Textual sets by an OSC of its own."""

CANARY_STYLE = b"\x1b[5;35;45m"
"""Blinking magenta on magenta: no theme draws so."""


def row(text: str) -> str:
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": f"answer {text}"}]
    return json.dumps({"messages": messages}, ensure_ascii="\ud83d" in text)


ATTACKS = {
    "ansi": "\x1b[5;35;45mSTYLE\x1b[2J\x1b[3J\x1b[6n\x1b[8;1;1t",
    "clipboard": "\x1b]52;c;Y2FuYXJ5\x07\x1b]0;TITLE\x07\x1b]8;;https://evil.example\x1b\\LINK",
    "reset": "\x1bcRESET\x1bPq#0\x1b\\\x1b_APC\x1b\\",
    "c1": "\x9b5;35;45mC1\x9d52;c;Y2FuYXJ5\x9c\x90q\x9c",
    "c0": "NUL\x00BEL\x07BS\x08VT\x0bFF\x0cSO\x0eSI\x0fDEL\x7f",
    "bidi": "RLO\u202eevil\u202c LRI\u2066x\u2069 ALM\u061c",
    "markup": "[@click=app.quit]QUIT[/] [bold]B [/nothing] [INST] hi [/INST] [$error]x",
    "returns": "one\rtwo\r\nthree",
    "surrogate": "half \ud83d alone",
    "tags": "tag\U000e0041\U000e0042",
}


@pytest.fixture
def hostile_file(tmp_path: Path) -> Path:
    """Every attack as a row, the same as keys, roles and tool names, and a row of 1 MB on one line."""
    rows = [row(f"{name}: {text}") for name, text in ATTACKS.items()]
    everything = "".join(ATTACKS.values())
    call = {"type": "function", "function": {"name": everything, "arguments": {everything: everything}}}
    tool = {"type": "function", "function": {"name": everything, "description": everything}}
    talk = [
        {"role": "user", "content": "tools: call it"},
        {"role": "assistant", "content": "", "reasoning_content": everything, "tool_calls": [call]},
        {"role": "tool", "name": everything, "content": everything},
    ]
    rows.append(json.dumps({"messages": talk, "tools": [tool], everything: everything}))
    rows.append(row("megabyte: " + "\x1b[5;35;45m你好 wörld " * 70_000 + "THE END"))
    rows.append("{broken: " + everything)
    path = tmp_path / "hostile.jsonl"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="surrogatepass")
    return path


def open_program(path: Path, workspace: Path, cols: int = 80, rows: int = 24) -> Terminal:
    environment = {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(workspace / "cache"),
        "XDG_CONFIG_HOME": str(workspace / "config"),
    }
    return Terminal([sys.executable, "-m", "tui.cli", str(path)], cols, rows, env=environment, cwd=workspace)


def leave_and_look(terminal: Terminal) -> None:
    """Quit by the key, then: nothing that a terminal obeys came out of the rows."""
    terminal.send("escape", "q")
    assert terminal.wait_exit() == 0
    raw = bytes(terminal.raw)
    text = raw.decode("utf-8")  # strict: half a surrogate pair or a stray byte raises here
    assert CANARY_STYLE not in raw
    assert not re.search("[\x80-\x9f]", text), "a C1 control reached the terminal"
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u061c\u200e\u200f]", text), "a bidi control reached the terminal"
    assert not re.search("[\U000e0000-\U000e007f]", text), "an invisible tag character reached the terminal"
    raw = UNFINISHED.sub(b"", raw)
    finals = {sequence[-1] for sequence in CONTROL_SEQUENCE.findall(raw)}
    assert finals <= OWN_FINALS, f"sequences that end in {bytes(finals - OWN_FINALS)!r} reached the terminal"
    rest = OWN_COMMAND.sub(b"", CONTROL_SEQUENCE.sub(b"", raw))
    assert b"\x1b" not in rest, f"an escape reached the terminal: {rest[rest.index(0x1B) :][:40]!r}"
    strange = set(rest) & (set(range(0x20)) - set(b"\r\n") | {0x7F})
    assert not strange, f"control characters {sorted(strange)} reached the terminal"


def visit_every_row(terminal: Terminal, rows: int) -> None:
    """Walk down the list and look at each row in each view, small and on the whole screen."""
    for number in range(1, rows + 1):
        terminal.wait_for(f"row {number} ")
        for view in ("TEMPLATE", "RAW", "CHAT"):
            terminal.send("v")
            terminal.wait_for(view)
        terminal.send("right")
    terminal.send("enter")
    terminal.wait_gone("undecided")
    terminal.send("end")
    terminal.settle()
    terminal.send("escape")
    terminal.wait_for("undecided")


def test_attacks_reach_the_screen_as_glyphs_and_the_terminal_not_at_all(hostile_file: Path, tmp_path: Path) -> None:
    with open_program(hostile_file, tmp_path) as terminal:
        terminal.wait_for("ansi: ")
        visit_every_row(terminal, len(ATTACKS) + 2)
        leave_and_look(terminal)
        assert "␛[5;35;45m".encode() in terminal.raw


def test_markup_in_a_row_is_text_and_no_click_on_it_does_anything(hostile_file: Path, tmp_path: Path) -> None:
    with open_program(hostile_file, tmp_path) as terminal:
        terminal.wait_for("ansi: ")
        terminal.send(":", "7", "enter")
        terminal.wait_for("row 7 ")
        terminal.wait_for("[@click=app.quit]QUIT[/]")
        place = terminal.find("]QUIT[/]")
        assert place is not None
        terminal.click(place[0] + 1, place[1])
        terminal.send("home")
        terminal.wait_for("row 1 ")
        assert terminal.alive


def test_a_megabyte_on_one_line_is_shown_to_its_end(hostile_file: Path, tmp_path: Path) -> None:
    with open_program(hostile_file, tmp_path, cols=160, rows=45) as terminal:
        terminal.wait_for("ansi: ")
        terminal.send(":", str(len(ATTACKS) + 2), "enter")
        terminal.wait_for(f"row {len(ATTACKS) + 2} ")
        terminal.wait_for("wörld")
        terminal.send("enter")
        terminal.wait_gone("undecided")
        terminal.send("end")
        terminal.wait_for("THE END")
        leave_and_look(terminal)


def test_the_planted_hostile_file_of_the_sample_data_does_no_harm(tmp_path: Path) -> None:
    with open_program(PLANTED, tmp_path, cols=160, rows=45) as terminal:
        terminal.wait_for("ANSI colors")
        terminal.send("end")
        terminal.settle()
        terminal.send("pageup")
        terminal.settle()
        rows = len(PLANTED.read_bytes().splitlines())
        terminal.send("home")
        visit_every_row(terminal, min(rows, 12))
        leave_and_look(terminal)


def test_a_hostile_file_name_is_harmless_too(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b]0;owned\x07\u202e[@click=app.quit].jsonl"
    path.write_text(row("a plain row") + "\n", encoding="utf-8")
    with open_program(path, tmp_path) as terminal:
        terminal.wait_for("a plain row")
        terminal.send("o")
        terminal.wait_for("open a dataset")
        terminal.settle()
        leave_and_look(terminal)
