"""What the tiny base model reads: the docstrings and the language reference of Python's standard library."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "turtledemo", "ensurepip"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_QUESTIONS = (
    "What is {name}?",
    "How do I use {name}?",
    "What does {name} do?",
    "Please explain {name}.",
    "I do not understand {name}. Can you help?",
    "When do I need {name}?",
)
_SYSTEM = ("", "", "You explain the library.", "You are a helper for people who write programs.")


def docstrings() -> list[tuple[str, str]]:
    """(dotted name, docstring) of everything documented in the standard library, each text once, in path order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if not _LEFT_OUT.intersection(parts):
            for name, text in _documented(path, ".".join(parts).removesuffix(".__init__")):
                found.setdefault(text, name)
    return [(name, text) for text, name in found.items()]


def language_reference() -> list[str]:
    """The texts behind `help("topics")`, in the order of their names."""
    spec = importlib.util.find_spec("pydoc_data.topics")
    if spec is None or spec.loader is None:
        return []
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    topics: dict[str, str] = module.topics
    return [topics[name] for name in sorted(topics)]


def conversations(documented: list[tuple[str, str]], seed: int) -> list[list[dict[str, str]]]:
    """Questions about names of the library, answered by the first paragraph of the docstring.

    So the base model knows what a chat looks like, and knows nothing of any support desk.
    """
    choose = random.Random(seed)
    chats = []
    for name, text in documented:
        paragraph = " ".join(text.split("\n\n", 1)[0].split())
        if not re.fullmatch(r"[A-Z][^<>|{}\[\]]{30,240}[.]", paragraph):
            continue
        question = choose.choice(_QUESTIONS).format(name=name.rpartition(".")[2].strip("_"))
        system = choose.choice(_SYSTEM)
        turns = [{"role": "system", "content": system}] if system else []
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": paragraph}]
        chats.append(turns)
    return chats


def _documented(path: Path, module: str) -> Iterator[tuple[str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a template or a file for another version of Python
        return
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            text = ast.get_docstring(node, clean=False)
            if text and len(text) > 20:
                name = module if isinstance(node, ast.Module) else f"{module}.{node.name}"
                yield name, inspect.cleandoc(text)
