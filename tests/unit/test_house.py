"""What keeps the house easy to see: screens are composed, and no class is a rung of a ladder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from core.paths import ROOT

CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
CSS = re.compile(r'CSS\s*(?::[^=]*)?=\s*f?"""(.*?)"""', re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SELECTOR = re.compile(r"([^{}]+)\{")
TYPE = re.compile(r"(?<![\w.#$-])([A-Z]\w+)")

MOST_ABOVE = 3
"""Classes of our own above any class. A class that is split by inheritance to shorten a file makes more."""


def sources() -> list[Path]:
    return sorted(path for room in ("core", "tui") for path in (ROOT / room).rglob("*.py"))


def bases() -> dict[str, list[str]]:
    """The bases of every class by name; names are unique in the program, see `test_type_names`."""
    found: dict[str, list[str]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                named = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
                found[node.name] = [base.id for base in named if isinstance(base, ast.Name)]
    return found


def above(name: str, known: dict[str, list[str]]) -> int:
    """How many classes of our own are above a class, on its longest way up."""
    return max((1 + above(base, known) for base in known[name] if base in known and base != name), default=0)


def test_no_class_is_a_rung_of_a_ladder() -> None:
    known = bases()
    assert len(known) > 400
    assert {name: above(name, known) for name in known if above(name, known) > MOST_ABOVE} == {}


def test_every_screen_is_a_package_that_begins_with_its_screen() -> None:
    from tui.actions import STEPS

    shared = {path.name for path in (ROOT / "tui" / "screens").glob("*.py")}
    assert shared == {"__init__.py", "base.py", "help.py", "palette.py", "pane.py"}
    for name in (*(name for _, name, _ in STEPS), "duplicates", "overview"):
        assert (ROOT / "tui" / name / "screen.py").is_file(), name


def test_what_needs_something_open_is_given_it_and_asserts_nothing() -> None:
    asserted = [path.name for path in sources() if "assert self._desk is not None" in path.read_text("utf-8")]
    assert asserted == []


def test_styles_name_classes_that_there_are() -> None:
    """A widget that was renamed kept its old name in its style, and lost its height."""
    import textual

    textual_files = Path(textual.__file__).parent.rglob("*.py")
    known = {
        name for path in (*textual_files, *(ROOT / "tui").rglob("*.py")) for name in CLASS.findall(path.read_text())
    }
    styles = [path.read_text() for path in (ROOT / "tui").rglob("*.tcss")]
    styles += [style for path in (ROOT / "tui").rglob("*.py") for style in CSS.findall(path.read_text("utf-8"))]
    assert len(styles) > 30
    named = {
        name
        for style in styles
        for selector in SELECTOR.findall(COMMENT.sub("", style))
        for name in TYPE.findall(selector)
    }
    assert named - known == set()
