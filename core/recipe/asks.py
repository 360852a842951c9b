"""What in a recipe runs with the user's permissions and so needs their consent once: see `core.jobs.trust`."""

from __future__ import annotations

from core.jobs.trust import CODE, COMMAND, ConsentRequest
from core.recipe.recipe import Recipe
from core.recipe.sections.model import Model

FIELD_OF = {COMMAND: "reporting.at_end", CODE: "model.trust_remote_code"}
"""The field that wants each of them."""


def asks_of(recipe: Recipe) -> list[ConsentRequest]:
    """What a recipe runs: its notify command and the model's code, allowed or not.

    Args:
        recipe: with absolute paths.
    """
    asks = []
    if command := recipe.reporting.at_end.strip():
        asks.append(ConsentRequest(COMMAND, command))
    if recipe.model.trust_remote_code:
        asks.append(code_ask(recipe.model))
    return asks


def code_ask(model: Model) -> ConsentRequest:
    """The consent that a model's own code needs: for that model by name, and by revision if it names one."""
    return ConsentRequest(CODE, f"{model.path}@{model.revision}" if model.revision else model.path)
