"""Pipelines: recipes that run one after the other, each from the weights of the one before. Which, and what fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.model_shape import ModelShape, read_shape
from core.recipe.paths import named_after
from core.recipe.recipe import Recipe
from core.recipe.yamlfile import load
from core.runs.origin import planned_origin, problems

THEN = "then"
FROM_BASE = "base"
"""In a later recipe's `starts_from`: the bare base model, not the run before it."""


def stages_of(recipe: Recipe) -> list[Recipe]:
    """The recipes of a pipeline, that one first; a single one where it names none after it.

    Args:
        recipe: with absolute paths.

    Raises:
        BadInput: one of them cannot be read, or already has a `then`.
    """
    found = [recipe]
    for file in recipe.then:
        stage = load(Path(file))
        if stage.then:
            words = f"{Path(file).name} already has a `then`"
            raise BadInput(words, where=THEN, do="List all recipes in the first one, in order")
        found.append(stage)
    return found


def sources_of(stages: Sequence[Recipe]) -> list[int | str]:
    """What each recipe of a pipeline starts from: the place of an earlier one, else what its `starts_from` says."""
    names = [stage.name or named_after(stage.data.train) for stage in stages]
    found: list[int | str] = [stages[0].starts_from]
    for place, stage in enumerate(stages[1:], 1):
        wanted = stage.starts_from
        earlier = next((n for n in reversed(range(place)) if names[n] == wanted), None)
        found.append(place - 1 if not wanted else "" if wanted == FROM_BASE else wanted if earlier is None else earlier)
    return found


def pipeline_findings(recipe: Recipe) -> Iterator[Problem]:
    """What keeps the recipes after this one from starting, as far as it can be known before; a note where nothing does.

    Args:
        recipe: with absolute paths; the first of them.
    """
    if not recipe.then:
        return
    try:
        stages = stages_of(recipe)
    except BadInput as error:
        yield Problem(THEN, f"{str(error).rstrip('.')}.")
        return
    sources, fits = sources_of(stages), True
    for place, stage in enumerate(stages[1:], 1):
        source = sources[place]
        if not isinstance(source, int):
            continue
        for problem in problems(stage, planned_origin(stages[source]), _shape(stage)):
            if problem.severity == "error":
                fits = False
                name = clean_line(stage.name or Path(recipe.then[place - 1]).name, 60)
                yield Problem(THEN, f"{name} cannot start from the run before it. {problem.path}: {problem.sentence}")
    if fits:
        names = ", then ".join(clean_line(stage.name or named_after(stage.data.train), 40) for stage in stages)
        yield Problem(THEN, f"Queued as a pipeline of {len(stages)} runs: {names}.", "note")


def _shape(recipe: Recipe) -> ModelShape | None:
    try:
        return read_shape(recipe.model.path, recipe.model.revision) if recipe.model.path else None
    except BadInput:
        return None
