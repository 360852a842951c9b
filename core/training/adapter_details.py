"""What a peft configuration needs of the loaded model: the names of the layers that patterns mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import BadInput
from core.recipe.recipe import Recipe
from core.recipe.target_names import names_one


def details_of(name: str, arguments: Mapping[str, Any], recipe: Recipe, model: Any) -> dict[str, Any]:
    """Further arguments that the recipe alone does not give.

    Args:
        name: of peft's configuration.
        arguments: that it has so far.
        recipe: the recipe.
        model: as it was loaded.

    Raises:
        BadInput: a field names something that the model does not have.
    """
    return _DETAILS.get(name, _nothing)(arguments, recipe, model)


def _nothing(arguments: Mapping[str, Any], recipe: Recipe, model: Any) -> dict[str, Any]:
    return {}


def _lora(arguments: Mapping[str, Any], recipe: Recipe, model: Any) -> dict[str, Any]:
    lora = recipe.lora
    # Each layer keeps the rank of the recipe: the count of the form is then exact.
    found: dict[str, Any] = {"eva_config": {"rho": 1.0}} if lora.init == "eva" else {}
    if not lora.patterns:
        return found
    targets = arguments["target_modules"]
    names = [name for name, _ in model.named_modules() if isinstance(targets, str) or names_one(name, targets)]
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for one in lora.patterns:
        meant = [re.escape(name) for name in names if names_one(name, (one.modules,))]
        if not meant:
            raise BadInput(f"{one.modules} names no adapted layer", where="lora.patterns", do="Remove it")
        for key in meant:
            if one.rank:
                ranks.setdefault(key, one.rank)
            if one.alpha:
                alphas.setdefault(key, one.alpha)
    return {**found, "rank_pattern": ranks, "alpha_pattern": alphas}


def _ia3(arguments: Mapping[str, Any], recipe: Recipe, model: Any) -> dict[str, Any]:
    """Peft wants each feed-forward module among the targets, by the same name."""
    targets = arguments["target_modules"]
    for wanted in recipe.adapter.feedforward:
        if not isinstance(targets, str) and not any(names_one(each, (wanted,)) for each in targets):
            raise BadInput(
                f"{wanted} is not among the target modules", where="adapter.feedforward", do="Add it to adapter.targets"
            )
    if isinstance(targets, str):
        return {}
    return {"feedforward_modules": [each for each in targets if names_one(each, recipe.adapter.feedforward)]}


_DETAILS: dict[str, Callable[[Mapping[str, Any], Recipe, Any], dict[str, Any]]] = {
    "LoraConfig": _lora,
    "IA3Config": _ia3,
}
