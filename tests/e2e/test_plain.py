"""Without the layer over Textual's private parts: the program starts, paints, and does everything it did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from core.dataset.audit.store import read_ledger
from core.paths import ROOT
from tests.kit.data_screen import chat
from tests.kit.run_folders import finished_run
from tests.kit.terminal import Terminal
from tests.kit.walk import fill_in
from tui.terminal.fence import PRIVATE, Part

ALL_PRIVATE = {private.name for private in PRIVATE if private.name[0] == "_" != private.name[1]} | {
    private.owner.partition(":")[2] for private in PRIVATE if "._" in private.owner
}
"""Every name in the table that Textual may change without a word."""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Five rows."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(chat(f"question {number}") + "\n" for number in range(1, 6)))
    return path


def open_renamed(names: str, path: Path, plain: bool = False) -> Terminal:
    """The program over a Textual in which some names are other ones."""
    return Terminal(
        [sys.executable, "-m", "tests.kit.renamed_textual", names, str(path)],
        env={"PYTHONPATH": str(ROOT), "TUNEDECK_PLAIN": "1" if plain else None},
        cwd=path.parent,
        cols=100,
        rows=30,
    )


@pytest.mark.parametrize(
    ("names", "excluded"),
    [
        ("XTermParser", ["DRIVER"]),
        ("_display", ["FRAMES", "COMPOSITOR"]),
        ("_get_renders", ["COMPOSITOR"]),
        ("_dirty_widgets", ["PROMPT"]),
        ("_driver", ["RING"]),
    ],
)
def test_a_name_that_is_gone_costs_its_part_of_the_layer_and_not_the_program(
    rows: Path, names: str, excluded: list[str]
) -> None:
    with open_renamed(names, rows) as terminal:
        terminal.wait_for("scanned")
        terminal.send("d")
        terminal.wait_for("dropped 1")
        terminal.wait_for("question 2")
        terminal.send("q")
        assert terminal.wait_exit() == 0
    layer = json.loads((rows.parent / "layer.json").read_text())
    assert layer["left_out"] == excluded
    for module, part in (("driver", "DRIVER"), ("wire", "FRAMES"), ("lean_compositor", "COMPOSITOR")):
        assert (module in layer["loaded"]) == (part not in excluded), "the other parts work on"


def test_the_whole_walk_on_public_names_alone(rows: Path) -> None:
    finished_run(rows.parent)
    with open_renamed(",".join(sorted(ALL_PRIVATE)), rows, plain=True) as terminal:
        terminal.wait_for("scanned")
        terminal.send("\x1b[200~colour \x1b[0mdq\x1b[201~", "d")
        terminal.wait_for("dropped 1")
        terminal.send("/", "\x1b[200~question \x1b[4m5\x1b[201~", "enter")
        terminal.wait_for("No rows")
        terminal.send("2")
        terminal.wait_for("should you fine-tune?")
        terminal.send("escape")
        terminal.wait_for("2 RECIPE")
        fill_in(terminal, "Max length", "256")
        terminal.send("6")
        terminal.wait_for("night")
        terminal.send("enter")
        terminal.wait_for("3 TRAIN")
        terminal.wait_for("finished")
        terminal.resize(80, 24)
        terminal.wait_for("4 to see the result")
        terminal.send("4")
        terminal.wait_for("2 of 3 answers differ")
        terminal.send("5")
        terminal.wait_for("from peft import")
        terminal.send("?")
        terminal.wait_for("Everywhere")
        terminal.send("escape")
        terminal.wait_gone("Everywhere")
        terminal.send("q")
        assert terminal.wait_exit() == 0
    layer = json.loads((rows.parent / "layer.json").read_text())
    assert layer["left_out"] == [part.name for part in Part]
    assert "plain_driver" in layer["loaded"]
    assert {"driver", "wire", "lean_compositor"}.isdisjoint(layer["loaded"])
    assert [each.verdict for each in read_ledger(rows.parent).standings().values() if each.verdict] == ["drop"]
