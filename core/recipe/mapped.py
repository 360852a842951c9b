"""A recipe without a format reads its data with the column mapping that the user saved in this workspace."""

from __future__ import annotations

from pathlib import Path

from core.recipe.recipe import Recipe, put


def with_mapping(recipe: Recipe, workspace: Path) -> Recipe:
    """The recipe with the mapping saved for its training data, unless it has a format or columns of its own.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`.
    """
    from core.dataset.mapping import saved  # orjson: only where data is read

    data = recipe.data
    if data.format != "auto" or data.columns or not data.train:
        return recipe
    kept = saved(workspace, data.train)
    if not kept.said:
        return recipe
    return put(put(recipe, "data.format", kept.format), "data.columns", dict(kept.columns))
