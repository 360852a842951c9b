"""What a model's files say against a recipe, asked again by the run: the model may have been downloaded just now."""

from __future__ import annotations

from core.errors import BadInput
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Recipe
from core.recipe.rules import families, tokens
from core.recipe.tokenizer_files import read_tokenizer


def refuse_unfit(recipe: Recipe) -> None:
    """Stops a run whose model cannot be trained as the recipe asks.

    Raises:
        BadInput: why not, and what to do. What is wrong with the files themselves is left to whoever loads them.
    """
    try:
        shape = read_shape(recipe.model.path, recipe.model.revision)
    except BadInput:  # not downloaded yet, or damaged
        return
    for problem in (*families.check(recipe, shape), *tokens.check(shape, read_tokenizer(shape.folder))):
        if problem.severity == "error":
            raise BadInput(problem.sentence.rstrip("."), where=problem.path)
