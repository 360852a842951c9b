"""A public type name means one thing in the whole program: it is defined in one module only."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def type_names(tree: ast.Module) -> Iterator[str]:
    """The names of public classes, type aliases and type variables that a module defines at its top level."""
    pending: list[ast.stmt] = list(tree.body)
    for node in pending:
        if isinstance(node, ast.If):
            pending += [*node.body, *node.orelse]
        elif isinstance(node, ast.Try):
            pending += [*node.body, *node.orelse, *(each for handler in node.handlers for each in handler.body)]
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for each in targets if isinstance(each, ast.Name) and _is_camel_case(each.id))


def _is_camel_case(name: str) -> bool:
    """Whether it is spelled as a type is: neither a constant nor a variable nor private."""
    return name[0].isupper() and not name.isupper()


def definitions(sources: dict[str, str]) -> dict[str, list[str]]:
    """Each type name with the files that define it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, text in sources.items():
        for name in set(type_names(ast.parse(text))):
            found[name].append(path)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "class Plan: ...",
        "Plan = tuple[str, int]",
        "Plan: TypeAlias = 'tuple[str, int]'",
        "if True:\n    class Plan: ...",
        "try:\n    import a\nexcept ImportError:\n    class Plan: ...",
    ],
)
def test_every_way_to_define_a_type_is_found(text: str) -> None:
    """Else the test below would pass without having looked."""
    twice = definitions({"one.py": text, "other.py": "class Plan: ...\nclass _Plan: ...\nPLAN = 1\nplan = 1"})
    assert twice == {"Plan": ["one.py", "other.py"]}


def test_a_public_type_name_is_defined_once() -> None:
    """Give each meaning a name of its own, in the terms of the field; import a type that means the same."""
    paths = sorted(path for room in ("core", "tui") for path in (ROOT / room).rglob("*.py"))
    found = definitions({path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths})
    assert len(found) > 300
    assert {name: where for name, where in found.items() if len(where) > 1} == {}
