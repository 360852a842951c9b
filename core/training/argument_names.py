"""Writes the names of the arguments that each task gives TRL: `python -m core.training.argument_names`.

`core/recipe/trainer_arguments.json` is what preflight holds against the installed versions, without importing torch; a
test holds it against the functions that make the arguments.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from core.paths import ROOT
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS

FILE = ROOT / "core" / "recipe" / "trainer_arguments.json"


def names() -> dict[str, Any]:
    """Task to `config`, TRL's class, and `arguments`, the sorted names."""
    from core.engine.load import hardware
    from core.training.configuration import trainer_arguments
    from core.training.tasks import training_of

    found = {}
    for name in TASKS:
        recipe = put(Recipe(), "task", name)
        given = trainer_arguments(recipe, hardware(recipe.model, "cpu"), Path("out"), evaluates=True)
        config = getattr(training_of(recipe).config, "__name__", "")
        found[name] = {"config": config, "arguments": sorted(given)}
    return found


def main() -> int:
    """Writes the file."""
    FILE.write_text(json.dumps(names(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
