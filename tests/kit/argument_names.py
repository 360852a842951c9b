"""Compares what is read off source files about arguments with the real functions and classes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """For each task: our names are those that are passed, and its class takes exactly those that were read."""
    import dataclasses

    from core.engine.load import hardware
    from core.recipe.config_classes import arguments_of
    from core.recipe.recipe import Recipe, put
    from core.recipe.tasks import TASKS
    from core.runs.preflight.arguments import trainer_names
    from core.training.arguments import refuse_arguments
    from core.training.configuration import trainer_arguments
    from core.training.tasks import training_of

    for name, task in TASKS.items():
        recipe = put(Recipe(), "task", name)
        on = hardware(recipe.model, "cpu")
        config, names = trainer_names(task.module)
        given = trainer_arguments(recipe, on, Path("out"), evaluates=True)
        real = training_of(recipe).config
        assert config == real.__name__, (name, config)  # type: ignore[attr-defined]
        assert given.keys() <= names, (name, given.keys() - names)
        fields = {each.name for each in dataclasses.fields(real)}  # type: ignore[arg-type]
        assert arguments_of("trl", config) == {each for each in fields if not each.startswith("_")}, name
        refuse_arguments(recipe, on)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
