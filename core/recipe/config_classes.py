"""What the configuration classes of the installed trl, transformers and peft take, read off their source; no torch.

The training may run in another interpreter than this one (`TUNEDECK_PYTHON`); it is asked once where its packages are.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata, util
from pathlib import Path

from core.jobs.launch import worker_python
from core.recipe.python_source import tree_of
from core.recipe.recipe import KNOBS
from core.recipe.worker_packages import ask_python

PACKAGES = ("trl", "transformers", "peft")
_WHERE = (
    "import json, sys; from importlib import util, metadata; "
    "print(json.dumps({n: [util.find_spec(n).origin, metadata.version(n)] for n in sys.argv[1:] if util.find_spec(n)}))"
)
_PLACES: Mapping[str, tuple[str, ...]] = {
    "trl": ("trainer/*config*.py", "experimental/*/*config*.py"),
    "transformers": ("training_args.py",),
    "peft": ("tuners/*/config.py", "config.py"),
}
"""Where each package keeps its configuration classes."""


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package of the interpreter that trains.

    Attributes:
        folder: its source.
        version: of its distribution.
    """

    folder: Path
    version: str


def stack() -> Mapping[str, InstalledPackage]:
    """The packages of `PACKAGES` that are installed where the training runs; none where that does not say."""
    return _stack(worker_python())


@cache
def _stack(python: str) -> Mapping[str, InstalledPackage]:
    if python == sys.executable:
        found = {name: spec.origin for name in PACKAGES if (spec := util.find_spec(name)) is not None and spec.origin}
        return {name: InstalledPackage(Path(origin).parent, _version(name)) for name, origin in found.items()}
    said = ask_python(python, _WHERE, *PACKAGES)
    if not isinstance(said, Mapping):
        return {}
    return {
        str(name): InstalledPackage(Path(each[0]).parent, str(each[1]))
        for name, each in said.items()
        if isinstance(each, list) and len(each) == 2 and isinstance(each[0], str)
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def arguments_of(package: str, name: str) -> frozenset[str] | None:
    """The arguments that a configuration class takes; None where the package has no such class, or is not there.

    Args:
        package: of `PACKAGES`.
        name: of the class: `SFTConfig`, `LoraConfig`.
    """
    there = stack()
    if package not in there:
        return None
    return _arguments(tuple((each, there[each].folder) for each in PACKAGES if each in there), package, name)


@lru_cache(maxsize=64)
def _arguments(folders: tuple[tuple[str, Path], ...], package: str, name: str) -> frozenset[str] | None:
    found: set[str] = set()
    known = dict(folders)
    wanted, seen = [name], set[str]()
    while wanted:
        each = wanted.pop()
        seen.add(each)
        defined = _class(known[package], package, each)
        if defined is None and "transformers" in known:
            defined = _class(known["transformers"], "transformers", each)
        if defined is None:
            if each == name:
                return None
            continue
        found |= _fields(defined)
        wanted += [base for base in _bases(defined) if base not in seen]
    return frozenset(found)


def _class(folder: Path, package: str, name: str) -> ast.ClassDef | None:
    return _classes(folder, package).get(name)


@lru_cache(maxsize=8)
def _classes(folder: Path, package: str) -> Mapping[str, ast.ClassDef]:
    """The configuration classes of a package; those in `trainer` before experimental ones of the same name."""
    found: dict[str, ast.ClassDef] = {}
    for place in _PLACES[package]:
        for file in sorted(folder.glob(place)):
            try:
                tree = tree_of(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, SyntaxError):
                continue  # the run says what is wrong with it
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, node)
    return found


def _fields(defined: ast.ClassDef) -> set[str]:
    """The annotated names of a dataclass, or the arguments of a class with an `__init__` of its own."""
    found = {
        node.target.id for node in defined.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for node in defined.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            found |= {each.arg for each in (*node.args.args, *node.args.kwonlyargs)} - {"self"}
    return {name for name in found if not name.startswith("_")}


def _bases(defined: ast.ClassDef) -> Iterator[str]:
    for base in defined.bases:
        if isinstance(base, ast.Name):
            yield base.id
        elif isinstance(base, ast.Attribute):
            yield base.attr


def field_of(argument: str) -> str:
    """The recipe's field that an argument of the trainer has its value from, by witness or by name; "" for none."""
    named = (
        path
        for path, knob in KNOBS.items()
        if knob.witness is not None and knob.witness.place == "argument" and knob.witness.name == argument
    )
    same = (path for path in KNOBS if path.rpartition(".")[2] == argument)
    return next(named, "") or next(same, "")


def refused_words(package: str, version: str, name: str, argument: str) -> str:
    """Why a run cannot start with the installed package, a sentence and what to do, without a period.

    Args:
        package: its name.
        version: the installed one.
        name: of its class.
        argument: which that does not take; "" where there is no such class.
    """
    what = f"does not accept {argument}" if argument else "does not exist"
    return f"{name} of {package} {version} {what}. Install matching versions: pip install -U 'tunedeck[train]'"
