"""Compares what is read off source files about arguments with the real functions and classes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """For each task: our names are those that are passed, and its class takes exactly those that were read."""
    import dataclasses

    from core.engine.load import hardware
    from core.recipe.config_classes import arguments_of
    from core.recipe.recipe import Recipe, put
    from core.recipe.tasks import TASKS
    from core.training.argument_names import FILE, names
    from core.training.arguments import refuse_arguments
    from core.training.tasks import TaskScript, training_of

    written = json.loads(FILE.read_text())
    assert names() == written, "arguments have changed: run `python -m core.training.argument_names`"
    for name in TASKS:
        recipe = put(Recipe(), "task", name)
        real = training_of(recipe).config
        fields = {each.name for each in dataclasses.fields(real)}  # type: ignore[arg-type]
        read = arguments_of("trl", written[name]["config"])
        assert read == {each for each in fields if not each.startswith("_")}, name
        script = training_of(recipe).script
        assert isinstance(script, TaskScript) or script.endswith("."), f"{name}: a script, or why there is none"
        refuse_arguments(recipe, hardware(recipe.model, "cpu"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
