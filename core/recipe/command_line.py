"""Fields of the recipe on the command line: `lora.rank=32`, read by the same declaration as the form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.paths import absolute
from core.recipe.recipe import KNOBS, Recipe, put, unknown

_LIST = re.compile(r"\s*\[.*\]\s*", re.S)


def apply_settings(recipe: Recipe, settings: Iterable[str], base: Path) -> Recipe:
    """The recipe with some fields changed.

    Args:
        recipe: what to change.
        settings: each `field=value`, the field by its dotted path, the value as a person types it into the form.
        base: the folder that relative paths in the settings start from.

    Raises:
        BadInput: there is no such field, or the value is invalid.
    """
    changed = False
    # The task first: it changes the defaults of other fields, and none that is set here.
    for setting in sorted(settings, key=lambda setting: setting.partition("=")[0].strip() != "task"):
        path, mark, text = setting.partition("=")
        path = path.strip()
        if not mark:
            raise BadInput(f"Expected FIELD=VALUE, got {setting!r}", where="--set", do="Write it like lora.rank=32")
        if path not in KNOBS:
            raise BadInput(unknown(path, recipe), where="--set")
        if KNOBS[path].kind == "list" and _LIST.fullmatch(text) and not Path(text).exists():
            text = text.strip()[1:-1]  # as YAML and Python write it
        value = KNOBS[path].parse(text)
        if isinstance(value, Problem):
            raise BadInput(value.sentence, where=f"--set {path}")
        recipe = put(recipe, path, value)
        changed = True
    return absolute(recipe, base) if changed else recipe
