"""Settings that do not work together with an adapter: each pair with the reason, and the closest thing that works.

Rules show a pair's sentence, `docs/adapters.md` lists them, and tests run each with the real PEFT: as refused it
fails or does something else, and as advised it trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.recipe.adapters import adapter_of
from core.recipe.adapters.lora import LORA, RESIDUAL
from core.recipe.adapters.soft_prompt import SECTION as SOFT
from core.recipe.declare import Problem
from core.recipe.devices import is_sharded
from core.recipe.tasks import TASKS
from core.recipe.values import Value

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class AdapterConflict:
    """Two settings that exclude each other.

    Attributes:
        name: in tests.
        path: the field that the sentence is about.
        holds: whether a recipe has both.
        sentence: why not, and what to do.
        brief: the same in a few words.
        refused: settings that have both.
        works: the nearest settings that work.
    """

    name: str
    path: str
    holds: Callable[[Recipe], bool]
    sentence: str
    brief: str
    refused: Mapping[str, Value]
    works: Mapping[str, Value]


def _is_soft(recipe: Recipe) -> bool:
    return adapter_of(recipe).section == SOFT


def _is_residual(recipe: Recipe) -> bool:
    return adapter_of(recipe).section == LORA.section and recipe.lora.init in RESIDUAL


def _reads_data_or_optimizer(recipe: Recipe) -> bool:
    lora = recipe.lora
    return adapter_of(recipe).section == LORA.section and (lora.init in (*RESIDUAL, "eva") or lora.plus_ratio > 0)


CONFLICTS: tuple[AdapterConflict, ...] = (
    AdapterConflict(
        "prefix-checkpointing",
        "training.activation_checkpointing",
        lambda recipe: not adapter_of(recipe).recomputes and recipe.training.activation_checkpointing,
        "Prefix tuning cannot recompute activations, because the layers would see the prefix twice. Set this "
        "to no, or use the method prompt or p_tuning.",
        "not with prefix tuning",
        {"method": "prefix"},
        {"method": "prefix", "training.activation_checkpointing": False},
    ),
    AdapterConflict(
        "soft-packing",
        "data.packing",
        lambda recipe: _is_soft(recipe) and recipe.data.packing != "none",
        "Virtual tokens go before a whole row, so only the first of the packed samples would get them. Set "
        "packing to none.",
        "not with virtual tokens",
        {"method": "prompt", "data.packing": "bfd"},
        {"method": "prompt"},
    ),
    AdapterConflict(
        "soft-task",
        "method",
        lambda recipe: _is_soft(recipe) and not TASKS[recipe.task].virtual_tokens,
        "Virtual tokens only train with sft, cpt and dpo here: TRL's other trainers fail on them or train nothing. "
        "Use the method lora.",
        "not with this task",
        {"method": "prompt", "task": "orpo"},
        {"method": "lora", "task": "orpo"},
    ),
    AdapterConflict(
        "residual-kl",
        "lora.init",
        lambda recipe: _is_residual(recipe) and TASKS[recipe.task].memory(recipe).reference,
        "pissa and olora change the base model's weights, and the KL term measures against the model without its "
        "adapter: that would no longer be the base model. Use eva or the default, or set the KL beta to 0.",
        "no reference left",
        {"lora.init": "pissa", "task": "rloo"},
        {"lora.init": "pissa", "task": "rloo", "rloo.beta": 0.0},
    ),
    AdapterConflict(
        "residual-reference",
        "lora.init",
        lambda recipe: _is_residual(recipe) and TASKS[recipe.task].reference,
        "pissa and olora change the base weights, and this task compares with the model without its "
        "adapter, which would no longer be the base model. Use eva or the default.",
        "no reference left",
        {"lora.init": "pissa", "task": "dpo"},
        {"lora.init": "eva", "task": "dpo"},
    ),
    AdapterConflict(
        "start-fsdp",
        "training.parallel",
        lambda recipe: is_sharded(recipe) and _reads_data_or_optimizer(recipe),
        "LoRA+, pissa, olora and eva need the whole model on each GPU before the first step, but fsdp has already "
        "split it. Use ddp, or plain LoRA with the default initial weights.",
        "not with fsdp",
        {"lora.init": "eva", "training.parallel": "fsdp", "training.devices": "0,1"},
        {"lora.init": "eva", "training.parallel": "ddp", "training.devices": "0,1"},
    ),
    AdapterConflict(
        "kind-fsdp",
        "training.parallel",
        lambda recipe: is_sharded(recipe) and not adapter_of(recipe).shards,
        "fsdp only works with the methods lora and full here. Use ddp, or one of these.",
        "not with fsdp",
        {"method": "ia3", "training.parallel": "fsdp", "training.devices": "0,1"},
        {"method": "ia3", "training.parallel": "ddp", "training.devices": "0,1"},
    ),
)
"""Pairs that a recipe alone shows. Those with quantized weights are each kind's own (`Adapter.over_quantized`)."""


def check(recipe: Recipe) -> Iterator[Problem]:
    """A problem for each pair that a recipe has."""
    for pair in CONFLICTS:
        if pair.holds(recipe):
            yield Problem(pair.path, pair.sentence, brief=pair.brief)
