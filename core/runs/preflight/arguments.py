"""The line about arguments: whether the installed trl, transformers and peft take every argument that a run gives them.

Nothing is imported that imports torch: the names that we pass are read off our own source, those that the classes take
off theirs. The worker asks the classes themselves, before it loads the model (`core.training.arguments`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from core.paths import ROOT
from core.recipe.adapters import adapter_of
from core.recipe.config_classes import PACKAGES, arguments_of, field_of, refused_words, stack
from core.recipe.recipe import KNOBS
from core.recipe.tasks import TASKS
from core.runs.preflight.line import PreflightFinding, ok, stop
from core.runs.preflight.seen import BeforeStart

_CONFIGURATION = ROOT / "core" / "training" / "configuration.py"
_TASKS = ROOT / "core" / "training" / "tasks"


def accepted(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether each argument is known where the training runs."""
    there = stack()
    if not all(name in there for name in PACKAGES):
        return  # the packages' own line says so
    recipe, refused, count = seen.recipe, 0, 0
    config, names = trainer_names(TASKS[recipe.task].module)
    classes = [("trl", config, names)] if config else []
    if (adapter := adapter_of(recipe).peft_config(recipe)) is not None:
        classes.append(("peft", adapter.name, frozenset(adapter.arguments)))
    for package, name, given in classes:
        takes = arguments_of(package, name)
        count += len(given)
        for argument in [""] if takes is None else sorted(given - takes):
            refused += 1
            path = field_of(argument) if package == "trl" else _adapter_field(adapter_of(recipe).section, argument)
            words = refused_words(package, there[package].version, name, argument)
            yield stop(f"{words}.", path, "not in this version")
    if not refused:
        versions = [f"{name} {there[name].version}" for name in PACKAGES]
        yield ok(f"All {count} arguments are accepted by {', '.join(versions[:-1])} and {versions[-1]}.")


def _adapter_field(section: str, argument: str) -> str:
    """The field of an adapter's argument: its section has it under the same name, or its kind is to blame."""
    named = f"{section}.{argument}"
    return named if named in KNOBS else "method"


@lru_cache(maxsize=32)
def trainer_names(module: str) -> tuple[str, frozenset[str]]:
    """The class of TRL that configures a task's trainer, and the names of the arguments that it is given.

    Args:
        module: the task's file in `core.training.tasks`.

    Returns:
        "" and nothing where our source does not tell.
    """
    task, shared = _source(_TASKS / f"{module}.py"), _source(_CONFIGURATION)
    if task is None or shared is None:
        return "", frozenset()
    made = next((node for node in ast.walk(task) if _calls(node, "TaskTraining")), None)
    if not isinstance(made, ast.Call) or len(made.args) < 3 or not isinstance(made.args[1], ast.Name):
        return "", frozenset()
    settings = made.args[2].id if isinstance(made.args[2], ast.Name) else ""
    names = _returned(shared, "trainer_arguments") | _returned(task, settings)
    return made.args[1].id, frozenset(names)


def _returned(tree: ast.Module, function: str) -> set[str]:
    """The names in the dict that a function returns: written as `dict(...)` or `{...}`, or by functions beside it."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found: set[str] = set()
    for node in ast.walk(defined[function]) if function in defined else ():
        if isinstance(node, ast.Return) and node.value is not None:
            found |= _names(tree, node.value)
    return found


def _names(tree: ast.Module, value: ast.expr) -> set[str]:
    if isinstance(value, ast.Dict):
        found = {key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
        for key, each in zip(value.keys, value.values, strict=True):
            found |= _names(tree, each) if key is None else set()
        return found
    if _calls(value, "dict"):
        assert isinstance(value, ast.Call)
        found = {each.arg for each in value.keywords if each.arg is not None}
        for unpacked in (each.value for each in value.keywords if each.arg is None):
            found |= _names(tree, unpacked)
        return found
    if isinstance(value, ast.IfExp):
        return _names(tree, value.body) | _names(tree, value.orelse)
    if isinstance(value, ast.BinOp):
        return _names(tree, value.left) | _names(tree, value.right)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return _returned(tree, value.func.id)
    return set()


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _source(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
