"""Fields set on the command line: `--set lora.rank=32`."""

from __future__ import annotations

from collections.abc import Iterable

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.recipe import KNOBS, Recipe, put, unknown


def apply_settings(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """The recipe with fields changed, later settings winning.

    Args:
        recipe: what they change.
        settings: each `PATH=VALUE`, the value as it is typed into the form.

    Raises:
        BadInput: a field is unknown, or a value does not fit it.
    """
    for setting in settings:
        path, mark, text = setting.partition("=")
        path = path.strip()
        if not mark:
            raise BadInput("A setting is FIELD=VALUE", where=clean_line(setting, 80), do="As in lora.rank=32")
        if path not in KNOBS:
            raise BadInput(unknown(path), where=clean_line(setting, 80))
        value = KNOBS[path].parse(text)
        if isinstance(value, Problem):
            raise BadInput(value.sentence, where=path)
        recipe = put(recipe, path, value)
    return recipe
