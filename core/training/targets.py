"""Which layers of a loaded model get an adapter: those of its language model, by its own structure, and no router."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from core.errors import BadInput
from core.recipe.adapters import Reach, adapter_of
from core.recipe.families import Family, family_of
from core.recipe.recipe import Recipe
from core.recipe.target_names import chosen, names_one, number_of

_ROUTER = re.compile(r"(^|\.)(gate|router|router\.\w+|gate\.\w+|classifier|wg)$")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


def language_prefix(model: Any) -> str:
    """Where the language model is in a model that also sees or hears, `model.language_model`; "" where it is the whole.

    Args:
        model: as transformers loads it.
    """
    config = model.config
    if config.get_text_config() is config:
        return ""
    decoder = model.get_decoder()
    name: str = next((name for name, module in model.named_modules() if module is decoder), "")
    return name


def freeze_outside(model: Any) -> None:
    """Freezes the parts that see or hear: text gives them no gradient, and several ranks would wait for one."""
    inside = language_prefix(model)
    head = model.get_output_embeddings()
    if not inside:
        return
    kept = {id(weight) for weight in head.parameters()} if head is not None else set()
    for name, weight in model.named_parameters():
        if not name.startswith(f"{inside}.") and id(weight) not in kept:
            weight.requires_grad = False


def freeze_first_layers(model: Any, recipe: Recipe) -> None:
    """Freezes what a recipe that trains the last layers leaves as it is; nothing for any other.

    Args:
        model: as it was loaded.
        recipe: the recipe.
    """
    if not adapter_of(recipe).partial:
        return
    of = model.config.get_text_config().num_hidden_layers
    ends = {id(weight): False for weight in model.get_input_embeddings().parameters()}
    head = model.get_output_embeddings()
    ends |= {} if head is None else {id(weight): recipe.last_layers.head for weight in head.parameters()}
    family = family_of(model.config.to_dict())
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        number = number_of(name)
        if number is not None:
            weight.requires_grad = number >= of - recipe.last_layers.count
        else:
            norm = family.role(name.removesuffix(".weight")) not in ("embedding", "other")
            weight.requires_grad = ends.get(id(weight), norm)


def peft_targets(reach: Reach, model: Any) -> dict[str, Any]:
    """`target_modules`, `exclude_modules` and `target_parameters` for peft's configuration.

    What peft has no words for, or reads otherwise than the recipe, is spelled out: the full names of the layers.

    Args:
        reach: what the recipe asks for.
        model: as it was loaded.

    Raises:
        BadInput: a target names no layer of the language model, or one that cannot have an adapter.
    """
    family = family_of(model.config.to_dict())
    wanted: Any = "all-linear" if reach.targets == ("all-linear",) else list(reach.targets)
    linear = _linear(model) if reach.linear else _weighted(model)
    inside = language_prefix(model)
    outside = {name for name in linear if inside and not name.startswith(f"{inside}.")}
    routers = {name for name in linear.keys() - outside if _is_router(name, linear[name], model)}
    usable = linear.keys() - outside - routers
    if not reach.every:
        _check_named(reach, usable, routers, family)
    refused = [name for name in usable if _leaf(name) in family.refused and (reach.every or _is_named(name, reach))]
    if refused:
        raise BadInput(
            f"{family.name} cannot have an adapter on {_leaf(refused[0])}",
            where=reach.path,
            do=f"Use {', '.join(sorted({_leaf(name) for name in usable} - set(family.refused)))}",
        )
    more = {"target_parameters": parameters} if (parameters := _parameters(reach, model)) else {}
    if not reach.plain or not reach.linear:
        return {"target_modules": _spelled_out(reach, usable, model), **more}
    if reach.every and (family.fused or outside):
        # Spelled out: peft's own list would add the router, and names that only the other parts have.
        layers = {layer for layers in family.fused.values() for layer in layers} if reach.experts else set()
        wanted = sorted({_leaf(name) for name in usable} | layers)
    excluded = [rf"(?!{re.escape(inside)}\.).*"] if outside else []
    excluded += sorted({re.sub(r"\\\.\d+(?=\\\.)", r"\\.\\d+", re.escape(name)) for name in routers})
    return {"target_modules": wanted, **({"exclude_modules": "|".join(excluded)} if excluded else {}), **more}


def _spelled_out(reach: Reach, usable: Iterable[str], model: Any) -> list[str]:
    """The full names of the layers that are reached.

    Raises:
        BadInput: none is, or the numbers of layers cannot be read.
    """
    found = [name for name in usable if reach.every or _is_named(name, reach)]
    if unused := [name for name in reach.exclude if not any(names_one(each, (name,)) for each in found)]:
        raise BadInput(f"{unused[0]} matches no target, so nothing is excluded", where=f"{reach.section}.exclude")
    found = [name for name in found if not names_one(name, reach.exclude)]
    if reach.layers:
        numbers = chosen(reach.layers, model.config.get_text_config().num_hidden_layers)
        found = [name for name in found if numbers and number_of(name) in numbers]
    if not found:
        where = f"{reach.section}.{'layers' if reach.layers else 'exclude'}"
        raise BadInput("No layer is left to adapt", where=where)
    return sorted(found)


def _parameters(reach: Reach, model: Any) -> list[str]:
    """The full names of the weights that get an adapter beside modules.

    Raises:
        BadInput: no weight of fused experts has the name.
    """
    fused = [name for name, weight in model.named_parameters() if weight.ndim == 3 and ".experts." in f".{name}"]
    for wanted in reach.parameters:
        if not any(names_one(name, (wanted,)) for name in fused):
            known = sorted({name.partition(".experts.")[2] for name in fused})
            have = (
                f"Use experts.{' or experts.'.join(known)}" if known else "Remove it: this model has no fused experts"
            )
            raise BadInput(f"The model has no expert weight {wanted!r}", where=f"{reach.section}.parameters", do=have)
    return [name for name in fused if names_one(name, reach.parameters)]


def _weighted(model: Any) -> dict[str, Any]:
    """The modules with weights of their own, by name; without the output layer."""
    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if name and module is not head and next(module.parameters(recurse=False), None) is not None
    }


def _linear(model: Any) -> dict[str, Any]:
    """The layers that peft can adapt, by name; without the output layer."""
    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    }


def _is_router(name: str, module: Any, model: Any) -> bool:
    text = model.config.get_text_config()
    experts = next((size for each in _EXPERTS if (size := getattr(text, each, None))), 0)
    sides = ("nx", "nf") if isinstance(module, Conv1D) else ("in_features", "out_features")
    return bool(experts and _ROUTER.search(name) and experts in (getattr(module, side, None) for side in sides))


def _check_named(reach: Reach, usable: set[str], routers: set[str], family: Family) -> None:
    for target in reach.targets:
        if _leaf(target) == "lm_head":
            raise BadInput(
                "The output layer cannot have an adapter: the loss is computed from its weights directly",
                where=reach.path,
                do=f"Add lm_head to {reach.section}.modules_to_save, which trains it in full",
            )
        if any(names_one(name, (target,)) for name in routers) or (family.fused and _leaf(target) == "gate"):
            raise BadInput(
                f"{target} is the router, which chooses the experts and cannot have an adapter",
                where=reach.path,
                do="Remove it",
            )
        fused = reach.experts and any(_leaf(target) in layers for layers in family.fused.values())
        if not fused and not any(names_one(name, (target,)) for name in usable):
            last = sorted({_leaf(name) for name in usable})
            raise BadInput(
                f"The model has no {'linear ' * reach.linear}layer {target!r}",
                where=reach.path,
                do=f"Use {'all-linear, or ' * reach.linear}some of {', '.join(last)}",
            )


def _is_named(name: str, reach: Reach) -> bool:
    return names_one(name, reach.targets)


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
