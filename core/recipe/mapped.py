"""A recipe without a format reads its data with the column mapping that the user saved in this workspace."""

from __future__ import annotations

from pathlib import Path

from core.recipe.recipe import Recipe, put


def with_mapping(recipe: Recipe, workspace: Path) -> Recipe:
    """The recipe with the mappings saved for its training data and its eval file, unless it has its own for them.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`.
    """
    from core.dataset.mapping import Chosen, saved  # orjson: only where data is read

    data = recipe.data
    found = recipe
    for said, paths, format, columns in (
        (Chosen(data.format, data.columns), data.train, "data.format", "data.columns"),
        (Chosen(data.eval_format, data.eval_columns), data.eval, "data.eval_format", "data.eval_columns"),
    ):
        if paths and said.only_encodings and (kept := saved(workspace, paths)).said:
            found = put(put(found, format, kept.format), columns, {**kept.columns, **said.columns})
    return found
