"""What the sources that are mixed in will give, in words, before a view is built. Counts rows for a moment only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core import units
from core.clean import clean_line
from core.dataset.dataset import Dataset
from core.dataset.view.mixture import wanted
from core.errors import BadInput
from core.recipe.mapped import with_mapping
from core.recipe.recipe import Recipe
from core.runs.overview_job import known_tokens

_COUNTING = 0.2
"""Seconds that counting the rows of one source may take."""


def mix_words(recipe: Recipe, own: Dataset, workspace: Path) -> Iterator[tuple[bool, str]]:
    """For each source that is mixed in whether it can be read, and a sentence on what it gives.

    Args:
        recipe: with absolute paths.
        own: the main dataset.
        workspace: where an overview of these data may have counted their tokens.
    """
    mix = recipe.data.shares
    if not recipe.data.own_share:
        return  # the recipe's own rules say what is wrong
    rows = _rows(own)
    held_out = 0.0 if recipe.data.eval else recipe.data.eval_fraction
    counts = wanted(max(1, round(rows * (1 - held_out))), list(mix.values())) if rows else []
    tokens = known_tokens(workspace, with_mapping(recipe, workspace))
    whole = sum(each["tokens"] for each in tokens or ())
    for number, (path, share) in enumerate(mix.items()):
        name = clean_line(Path(path).name, 60)
        try:
            dataset = own.open_beside([path])
        except BadInput as error:
            yield False, str(error)
            continue
        if not dataset.recognition.known:
            yield False, f"Mix in: the format of {name} was not recognized: {clean_line(dataset.recognition.why)}"
            continue
        there = _rows(dataset)
        words = f"Mix in: {name} is {share:.0%} of the training set"
        if counts and there:
            times = "" if counts[number] <= there else f", each about {counts[number] / there:.1f} times"
            words += f", about {units.count(counts[number])} samples from its {units.count(there)} rows{times}"
        if tokens and whole:
            given = tokens[number + 1]["tokens"]
            words += f"; {units.count(given)} tokens, {given / whole:.0%} of all"
        yield True, f"{words}."


def _rows(dataset: Dataset) -> int:
    """The rows, or 0 where counting them takes too long."""
    return dataset.count if dataset.reader.extend(_COUNTING) else 0
