"""What the pages name is there: modules, classes, functions, files, tests, links, rooms and layers."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from core.paths import ROOT
from core.recipe.tasks import Limit, Task
from tui.actions import Command

DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
MAP = DOCS / "architecture.md"
PAGES = (ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(DOCS.glob("*.md")))
"""Pages about the program as it is. A decision speaks of the program as it was, so only its links are checked."""

_DOTTED = re.compile(r"(?<![\w./])(?:core|tui)(?:\.\w+)+")
_PATH = re.compile(r"(?<![\w./-])(?:core|tui|tests|docs|themes|sample_data)/[\w./-]*")
_DECISION = re.compile(r"\b\d{4}-[a-z0-9-]+\.md")
_TEST = re.compile(r"`(test_\w+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)")


def spoken(path: Path) -> str:
    return path.name if path.parent == ROOT else str(path.relative_to(ROOT))


@cache
def members(file: Path) -> dict[str, set[str]]:
    """The names that a module defines or imports, each with the methods and class attributes of a class."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {name for inner in node.body for name in _defined(inner)}
        else:
            found.update((name, set()) for name in _defined(node))
    return found


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)


def is_there(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, or something that a module or one of its classes defines."""
    place, names = ROOT, dotted.split(".")
    while names and (place / names[0]).is_dir():
        place /= names.pop(0)
    module = place / f"{names[0]}.py" if names else place / "__init__.py"
    if names and module.exists():
        names = names[1:]
    elif names:
        module = place / "__init__.py"
    if not module.exists() or len(names) > 2:
        return False
    known = members(module)
    return not names or (names[0] in known and (len(names) == 1 or names[1] in known[names[0]]))


@pytest.mark.parametrize("page", PAGES, ids=spoken)
def test_modules_classes_and_functions_on_a_page_are_there(page: Path) -> None:
    named = set(_DOTTED.findall(page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not is_there(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=spoken)
def test_files_on_a_page_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {found.rstrip(".") for found in _PATH.findall(text)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert [name for name in sorted(set(_DECISION.findall(text))) if not (DECISIONS / name).exists()] == []


def test_examples_of_code_are_code_and_use_what_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = [
        ast.parse(dedent(block)) for block in re.findall(r"^ *```python\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)
    ]
    nodes = [node for block in blocks for node in ast.walk(block)]
    imported = {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert {"tui.actions.Command", "core.dataset.checks.base.Check"} <= imported
    assert [name for name in sorted(imported) if not is_there(name)] == []
    called = {kind.__name__: {each.name for each in fields(kind)} for kind in (Task, Limit, Command)}
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    named = {(node.func.id, word.arg) for node in calls if node.func.id in called for word in node.keywords}
    assert {("Task", "columns"), ("Limit", "accepts"), ("Command", "opens_line")} <= named
    assert [(kind, word) for kind, word in sorted(named) if word not in called[kind]] == []


def test_tests_on_a_page_are_there() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", sources)) | {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    named = {name for page in PAGES for name in _TEST.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 10
    assert named - there == set()


@pytest.mark.parametrize("page", [*PAGES, *sorted(DECISIONS.glob("*.md"))], ids=spoken)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_lists_every_decision_once_in_order() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\) \| \S", index, re.MULTILINE)
    assert [name for _, name in listed] == sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert all(name.startswith(f"{number}-") for number, name in listed)


def test_the_map_draws_every_room_and_the_layers_that_the_linter_holds() -> None:
    page = MAP.read_text(encoding="utf-8")
    packages = [path.parent for top in ("core", "tui") for path in (ROOT / top).glob("*/**/__init__.py")]
    rooms = sorted(f"{package.relative_to(ROOT)}/" for package in packages)
    assert len(rooms) > 20
    assert [room for room in rooms if not re.search(rf"^ *{room}  ", page, re.MULTILINE)] == []
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert "\n".join(layers) in page


@pytest.mark.parametrize(
    ("dotted", "there"),
    [
        ("core.jobs", True),
        ("core.jobs.folder", True),
        ("core.jobs.folder.JobFolder.append_metric", True),
        ("core.verdict.Verdict", True),
        ("core.jobs.attic", False),
        ("core.jobs.folder.JobAttic", False),
        ("core.jobs.folder.JobFolder.append_attic", False),
    ],
)
def test_a_name_that_moved_is_seen(dotted: str, there: bool) -> None:
    assert is_there(dotted) is there
