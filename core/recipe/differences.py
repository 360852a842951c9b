"""The fields in which recipes differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.recipe.recipe import KNOBS, get, read

_NO_DIFFERENCE = ("name", "then", "data.view")
"""A name is not a setting, nor is what runs afterwards; and the view differs whenever the data does."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same in all recipes.

    Attributes:
        path: the field, dotted.
        values: each recipe's value as a person types it; "" where it is empty.
    """

    path: str
    values: tuple[str, ...]


def differences(recipes: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The fields in which recipes differ, in the order of their declaration.

    Args:
        recipes: as JSON, in the form of `to_json`; what is missing or unknown has its default.
    """
    whole = [read(recipe)[0] for recipe in recipes]
    found = []
    for path, knob in KNOBS.items():
        values = [get(recipe, path) for recipe in whole]
        if path not in _NO_DIFFERENCE and any(value != values[0] for value in values):
            found.append(Difference(path, tuple(knob.format(value) for value in values)))
    return found
