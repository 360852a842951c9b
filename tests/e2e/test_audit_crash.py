"""The audit in the real program: whatever was shown as done is on the disk, however the program ends."""

from __future__ import annotations

import json
import random
import re
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.dataset.audit.store import FILE
from core.paths import hidden_dir
from tests.kit.terminal import Terminal
from tests.kit.walk import open_deck

ROWS = 300
_SHOWN = re.compile(r"audit: (\d+) of 300  kept (\d+)  dropped (\d+)")


def shown(screen: str) -> tuple[int, int]:
    """Kept and dropped, as the header of the list says."""
    found = _SHOWN.search(screen)
    return (int(found[2]), int(found[3])) if found else (0, 0)


def at_least(wanted: int) -> Callable[[str], bool]:
    return lambda screen: sum(shown(screen)) >= wanted


def decide(terminal: Terminal, key: str, number: int) -> None:
    """Press a key until it counts: one that comes before the picture of its row decides nothing."""
    while True:
        terminal.send(key)
        try:
            terminal.wait_until(at_least(number), 5.0, what=f"{number} decisions")
        except AssertionError:
            if terminal.alive:
                continue
            raise
        return


def written(workspace: Path) -> list[str]:
    with sqlite3.connect(hidden_dir(workspace) / FILE) as table:
        return [action for (action,) in table.execute("SELECT action FROM decisions ORDER BY id")]


def data(workspace: Path) -> None:
    lines = [
        json.dumps({"messages": [{"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": f"a {n}"}]})
        for n in range(ROWS)
    ]
    (workspace / "rows.jsonl").write_text("\n".join(lines) + "\n")


def begin(workspace: Path, *, first: bool) -> Terminal:
    terminal = open_deck(workspace, "rows.jsonl", cols=100)
    terminal.wait_for("scanned", 30)
    terminal.send("A")
    if first:
        terminal.wait_for("random 100")
        terminal.send("end", "enter")
    # The whole of it: a read may end in the middle of a line.
    terminal.wait_until(lambda screen: _SHOWN.search(screen) is not None, what="the audit's counts")
    return terminal


def test_killed_at_random_moments_nothing_that_was_shown_as_done_is_missing(tmp_path: Path) -> None:
    data(tmp_path)
    chance = random.Random(20)
    kept = dropped = 0
    for sitting in range(4):
        with begin(tmp_path, first=not sitting) as terminal:
            before = shown(terminal.text)
            assert before == (kept, dropped), "all that was on the disk is there again"
            wanted = sum(before) + chance.randint(5, 40)
            for number in range(sum(before) + 1, wanted):
                decide(terminal, chance.choice("ad"), number)
            decide(terminal, chance.choice("ad"), wanted)
            terminal.send(*(chance.choice("ad") for _ in range(5)))  # most of them are on their way when it ends
            terminal.kill(signal.SIGKILL)
            terminal.wait_exit()
            seen = shown(terminal.text)
        actions = written(tmp_path)
        kept, dropped = actions.count("keep"), actions.count("drop")
        assert sum(seen) >= wanted
        assert kept >= seen[0]
        assert dropped >= seen[1]


def test_the_users_own_editor_gets_the_terminal_and_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data(tmp_path)
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys\n"
        "path = sys.argv[1]\n"
        "text = open(path).read()\n"
        "input('EDITING ' + path[-5:])\n"
        "open(path, 'w').write(text.replace('a 0', 'a better answer'))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    with open_deck(tmp_path, "rows.jsonl", cols=100) as terminal:
        terminal.wait_for("scanned", 30)
        terminal.send("e")
        terminal.wait_for("EDITING .json")
        terminal.send("enter")
        terminal.wait_for("a better answer")
        terminal.wait_for("kept 1")
        assert "EDITING" not in terminal.text
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert written(tmp_path) == ["edit"]
