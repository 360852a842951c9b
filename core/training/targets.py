"""Which layers of a loaded model get an adapter: those of its language model, by its own structure, and no router."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from core.errors import BadInput
from core.recipe.families import Family, family_of

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


def peft_targets(plain: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """`target_modules` and `exclude_modules` for peft's configuration.

    Args:
        plain: the configuration as the recipe asks for it.
        model: as it was loaded.

    Raises:
        BadInput: a target names no layer of the language model, or one that cannot have an adapter.
    """
    family = family_of(model.config.to_dict())
    wanted = plain["target_modules"]
    linear = _linear(model)
    inside = language_prefix(model)
    outside = {name for name in linear if inside and not name.startswith(f"{inside}.")}
    routers = {name for name in linear.keys() - outside if _is_router(name, linear[name], model)}
    usable = linear.keys() - outside - routers
    every = isinstance(wanted, str)
    if not every:
        _check_named(wanted, usable, routers, family)
    refused = [name for name in usable if _leaf(name) in family.refused and (every or _matches(name, wanted))]
    if refused:
        raise BadInput(
            f"{family.name} cannot have an adapter on {_leaf(refused[0])}",
            where="lora.targets",
            do=f"Use {', '.join(sorted({_leaf(name) for name in usable} - set(family.refused)))}",
        )
    if every and (family.fused or outside):
        # Spelled out: peft's own list would add the router, and names that only the other parts have.
        layers = {layer for layers in family.fused.values() for layer in layers}
        wanted = sorted({_leaf(name) for name in usable} | layers)
    excluded = [rf"(?!{re.escape(inside)}\.).*"] if outside else []
    excluded += sorted({re.sub(r"\\\.\d+(?=\\\.)", r"\\.\\d+", re.escape(name)) for name in routers})
    return {"target_modules": wanted, **({"exclude_modules": "|".join(excluded)} if excluded else {})}


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
    return bool(experts and _ROUTER.search(name) and experts in (getattr(module, side) for side in sides))


def _check_named(targets: list[str], usable: set[str], routers: set[str], family: Family) -> None:
    for target in targets:
        if _leaf(target) == "lm_head":
            raise BadInput(
                "The output layer cannot have an adapter: the loss is computed from its weights directly",
                where="lora.targets",
                do="Add lm_head to lora.modules_to_save, which trains it fully",
            )
        if any(_matches(name, [target]) for name in routers) or (family.fused and _leaf(target) == "gate"):
            raise BadInput(
                f"{target} is the router, which chooses the experts and cannot have an adapter",
                where="lora.targets",
                do="Remove it",
            )
        fused = any(_leaf(target) in layers for layers in family.fused.values())
        if not fused and not any(_matches(name, [target]) for name in usable):
            last = sorted({_leaf(name) for name in usable})
            raise BadInput(
                f"The model has no linear layer {target!r}",
                where="lora.targets",
                do=f"Use all-linear, or some of {', '.join(last)}",
            )


def _matches(name: str, targets: list[str]) -> bool:
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
