"""Paths in a recipe: made absolute when it is read, and relative again when it is written beside its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.recipe import templates
from core.recipe.declare import Knob
from core.recipe.model_files import DEMO, DEMO_TITLE, is_hub_name
from core.recipe.recipe import KNOBS, Recipe, get, put
from core.recipe.values import Record


def absolute(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with every path absolute, starting from the folder `base`; Hub IDs and template names stay.

    The name that lists give the demo's base model stands for its folder.
    """
    return _each_path(recipe, lambda path, text: _absolute(path, text, base))


def relative(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with every path inside the folder `base` relative to it (`./data.jsonl`); others are unchanged."""
    return _each_path(recipe, lambda _, text: _relative(text, base))


def named_after(files: Sequence[str]) -> str:
    """The name of a run whose recipe gives none: that of its first data file; "" without files."""
    return Path(files[0]).name.partition(".")[0] if files else ""


def _absolute(path: str, text: str, base: Path) -> str:
    if not text or os.path.isabs(text):
        return text
    found = base / Path(text).expanduser()
    if path in ("model.path", "rewards.model", "distill.teacher") and not found.is_dir():
        if text.strip() == DEMO_TITLE:
            return os.fspath(DEMO)
        if is_hub_name(text):
            return text
    if path == "starts_from" and not found.is_dir() and not text.startswith((".", "~")):
        return text  # the name of a run
    if path == "model.chat_template" and text in (templates.NO_TEMPLATE, *templates.names()):
        return text
    return os.path.normpath(found)


def _relative(text: str, base: Path) -> str:
    if not os.path.isabs(text):
        return text
    inside = os.path.relpath(text, base)
    return text if inside.startswith("..") else f"./{inside}" if inside != os.curdir else inside


def _each_path(recipe: Recipe, change: Callable[[str, str], str]) -> Recipe:
    for path, knob in KNOBS.items():
        value = get(recipe, path)
        if knob.kind == "path" and isinstance(value, str):
            recipe = put(recipe, path, change(path, value))
        elif knob.paths and isinstance(value, tuple):
            recipe = put(recipe, path, tuple(change(path, str(item)) for item in value))
        elif knob.kind == "records" and isinstance(value, tuple):
            recipe = put(recipe, path, tuple(_record(entry, knob, change) for entry in value))
    return recipe


def _record(entry: Any, knob: Knob, change: Callable[[str, str], str]) -> Record:
    """An entry of a list of records with its paths changed."""
    names = [column.name for column in knob.columns if column.kind == "path"]
    changed: Record = replace(entry, **{name: change(f"{knob.path}.{name}", getattr(entry, name)) for name in names})
    return changed
