"""Which layers a recipe means: names, regular expressions between slashes, and numbers of transformer layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_NUMBERED = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d+)\.")
_RANGE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")
_LAST = re.compile(r"last\s+(\d+)")

FORMS = "0-7, 12, last 8"
"""How numbers of layers are written, for sentences."""


def is_pattern(name: str) -> bool:
    """Whether a name is a regular expression: `/.*mlp.*/`."""
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


@lru_cache(maxsize=512)
def _compiled(name: str) -> re.Pattern[str]:
    """The expression of a pattern, which has to match the whole name of a layer; a broken one matches nothing."""
    try:
        return re.compile(name[1:-1])
    except re.error:
        return re.compile(r"(?!)")


def names_one(layer: str, names: Iterable[str]) -> bool:
    """Whether a layer is one of those that are named."""
    return any(
        _compiled(name).fullmatch(layer) is not None
        if is_pattern(name)
        else layer == name or layer.endswith(f".{name}")
        for name in names
    )


def broken(names: Iterable[str]) -> tuple[str, str] | None:
    """The first pattern that is not a regular expression, and what is wrong with it."""
    for name in names:
        try:
            re.compile(name[1:-1] if is_pattern(name) else "")
        except re.error as error:
            return name, str(error)
    return None


def number_of(layer: str) -> int | None:
    """The number of the transformer layer that a layer belongs to; None outside of them."""
    found = _NUMBERED.search(f"{layer}.")
    return int(found[1]) if found else None


def chosen(entries: Sequence[str], of: int) -> frozenset[int] | None:
    """The numbers of layers that are meant (`0-7`, `12`, `last 8`); None where an entry cannot be read.

    Args:
        entries: as the recipe has them.
        of: how many layers the model has.
    """
    numbers: set[int] = set()
    for entry in entries:
        text = entry.strip().lower()
        if last := _LAST.fullmatch(text):
            numbers.update(range(max(0, of - int(last[1])), of))
        elif span := _RANGE.fullmatch(text):
            numbers.update(range(int(span[1]), int(span[2] or span[1]) + 1))
        else:
            return None
    return frozenset(numbers)
