"""What the end-to-end tests of the walk share: the program in a terminal, and its form filled in by keys."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from core.paths import ROOT, SAMPLE_DATA
from tests.kit.terminal import Terminal

TUNEDECK = [sys.executable, "-m", "tui.cli"]
ENV = {"PYTHONPATH": str(ROOT)}


def open_deck(workspace: Path, *words: str, cols: int = 80, rows: int = 24) -> Terminal:
    """The real program in a pseudo-terminal, started in a workspace."""
    return Terminal([*TUNEDECK, *words], cols=cols, rows=rows, cwd=workspace, env=ENV)


def tunedeck_json(workspace: Path, *words: str) -> Any:
    """What a headless command prints as JSON."""
    done = subprocess.run(
        [*TUNEDECK, *words, "--json"],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=True,
        env={**_environ(), **ENV},
    )
    return json.loads(done.stdout)


def _environ() -> dict[str, str]:
    import os

    return dict(os.environ)


def desk_data(workspace: Path) -> Path:
    """The sample data under another name, in the workspace."""
    return Path(shutil.copy(SAMPLE_DATA / "support_train.jsonl", workspace / "tickets.jsonl"))


def fill_in(terminal: Terminal, title: str, value: str) -> None:
    """Go to a field of the form by its title, and type a value."""
    for _ in range(80):
        terminal.wait_until(lambda _: bool(_current_field(terminal)), what="the form's cursor")
        at = _current_field(terminal)
        if at == title:
            break
        terminal.send("down")
        terminal.wait_until(lambda _, at=at: _current_field(terminal) not in ("", at), what=f"the cursor below {at}")
    else:
        raise AssertionError(f"there is no field {title}. The screen:\n{terminal.frame()}")
    terminal.send("enter", "ctrl+u", value)
    terminal.wait_for(value[-20:])
    terminal.send("enter")


def _current_field(terminal: Terminal) -> str:
    """The title of the field under the form's cursor, or "" while the screen is being drawn."""
    line = next((line.lstrip("│ ") for line in terminal.lines if line.lstrip("│ ").startswith("▸")), "")
    return line[2:24].strip("• ")


def fill_in_recipe(terminal: Terminal, steps: int) -> None:
    """Fill in the form for a short run of the tiny base."""
    for title, value in (
        ("Model", str(SAMPLE_DATA / "tiny_base")),
        ("Max length", "256"),
        ("Learning rate", "0.01"),
        ("Max steps", str(steps)),
        ("Gradient accumulation", "1"),
    ):
        fill_in(terminal, title, value)
