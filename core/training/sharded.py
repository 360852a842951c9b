"""FSDP: each rank holds a part of the model, so all of them have to put together what one of them saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core.recipe.recipe import Recipe


def fsdp_settings(recipe: Recipe) -> dict[str, Any]:
    """FSDP in the form of transformers: whole layers a part, checkpoints that one process can load again."""
    return {
        "version": 2,
        "state_dict_type": "FULL_STATE_DICT",
        "cpu_ram_efficient_loading": True,
        "activation_checkpointing": recipe.training.activation_checkpointing,
    }


def keep_dropout(model: Any) -> None:
    """Makes the layers that are computed a second time draw the random numbers of the first.

    Accelerate's checkpointed layers do not: the gradient would be that of other dropout masks than the loss.

    Args:
        model: as accelerate has shared it out.
    """
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

    for layer in model.modules():
        if isinstance(layer, CheckpointWrapper):
            layer.checkpoint_fn = partial(layer.checkpoint_fn, preserve_rng_state=True)


def let_go(model: Any) -> None:
    """Has each rank hold nothing but its part: an evaluation leaves some layers put together, for a backward pass.

    Weights could not be loaded into these.

    Args:
        model: as accelerate has shared it out, or not yet.
    """
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole_weights(model: Any, *, trained_only: bool) -> dict[str, Any]:
    """The weights of a model that is shared out, whole; each rank must call this at the same point.

    Args:
        model: as accelerate has shared it out, or not yet.
        trained_only: whether those that take no gradient are left out: a large base under a small adapter.

    Returns:
        Name to tensor, in the memory of rank 0's processor; empty on the other ranks.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=trained_only)
    return dict(get_model_state_dict(model, options=options))


@dataclass(frozen=True, slots=True)
class ShardedState:
    """Something of a checkpoint that no rank holds alone.

    Attributes:
        gather: puts it together in the memory of rank 0; each rank must call this at the same point.
        write: writes what `gather` gave on rank 0 into a folder, where accelerate finds it again.
    """

    gather: Callable[[], dict[str, Any]]
    write: Callable[[dict[str, Any], Path], None]


def checkpoint_parts(trainer: Any, *, trained_only: bool) -> tuple[ShardedState, ...]:
    """Weights and optimizer; one after the other, so that one of them is in memory at a time.

    Args:
        trainer: in training.
        trained_only: as for `whole_weights`.
    """
    import torch
    from accelerate.utils.constants import FSDP_MODEL_NAME, OPTIMIZER_NAME
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    def optimizer() -> dict[str, Any]:
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return dict(get_optimizer_state_dict(trainer.model, trainer.optimizer, options=options))

    def write_weights(weights: dict[str, Any], folder: Path) -> None:
        trainer._save(str(folder), state_dict=weights)
        torch.save(weights, folder / f"{FSDP_MODEL_NAME}.bin")

    return (
        ShardedState(lambda: whole_weights(trainer.model, trained_only=trained_only), write_weights),
        ShardedState(optimizer, lambda state, folder: torch.save(state, folder / f"{OPTIMIZER_NAME}.bin")),
    )
