"""What a peft configuration needs of the loaded model: the names of the layers that patterns mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from core.engine.load import load_tokenizer
from core.errors import BadInput
from core.recipe.adapters.lora import token_rows
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
    if rows := token_rows(recipe):
        found["trainable_token_indices"] = _rows(rows, recipe, model)
    if not lora.patterns:
        return found
    targets = arguments["target_modules"]
    names = [name for name, _ in model.named_modules() if isinstance(targets, str) or names_one(name, targets)]
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for one in lora.patterns:
        meant = [re.escape(name) for name in names if names_one(name, (one.modules,))]
        if not meant:
            raise BadInput(f"{one.modules} matches no adapted layer", where="lora.patterns", do="Remove it")
        for key in meant:
            if one.rank:
                ranks.setdefault(key, one.rank)
            if one.alpha:
                alphas.setdefault(key, one.alpha)
    return {**found, "rank_pattern": ranks, "alpha_pattern": alphas}


def _rows(tokens: tuple[str, ...], recipe: Recipe, model: Any) -> dict[str, list[int]]:
    """The rows of tokens in the embedding, and in the output layer where that is another weight.

    Raises:
        BadInput: one of them is no token of the tokenizer.
    """
    known = load_tokenizer(recipe.model).get_vocab()
    if unknown := next((token for token in tokens if token not in known), None):
        raise BadInput(
            f"The tokenizer has no token {unknown!r}",
            where="lora.trained_tokens",
            do="Use one of its tokens as its vocabulary spells it, or add it in model.added_tokens",
        )
    ids = sorted(known[token] for token in tokens)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    ends = [embedding] if head is None or head.weight is embedding.weight else [embedding, head]
    names = {id(module): name.rpartition(".")[2] for name, module in model.named_modules()}
    return {names[id(end)]: ids for end in ends}


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
