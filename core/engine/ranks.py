"""The ranks of one run: who is who, what they agree on, and that there are as many as the recipe asks for.

torchrun starts a process for each device. Rank 0 alone writes into the run's folder and reads what viewers ask; the
others get it by a broadcast at every point at which a request could be done, so that all do it at the same one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.engine.gpus import check_reach
from core.errors import TunedeckError
from core.jobs import process
from core.jobs.requests import NAMES
from core.recipe.devices import Devices, devices_of
from core.recipe.recipe import Recipe

PATIENCE = timedelta(days=7)
"""How long a rank waits for the others: a paused run, or one that waits for room on the disk, makes them wait."""


@dataclass(frozen=True, slots=True)
class Rank:
    """This process among the ranks.

    Attributes:
        number: from 0.
        local: its number on this machine, which is that of its device.
        world: how many there are.
    """

    number: int
    local: int
    world: int
    _group: Any

    def agree(self, names: Sequence[str]) -> tuple[str, ...]:
        """The requests that rank 0 knows of, on every rank; each must call this at the same point.

        Args:
            names: what this rank knows of; only those of rank 0 count.
        """
        (mask,) = self.share([sum(1 << place for place, name in enumerate(NAMES) if name in names)])
        return tuple(name for place, name in enumerate(NAMES) if mask >> place & 1)

    def share(self, numbers: Sequence[int]) -> list[int]:
        """The whole numbers of rank 0, on every rank; each must call this at the same point, and with as many."""
        import torch
        from torch import distributed

        known = torch.tensor(list(numbers), dtype=torch.int64)
        distributed.broadcast(known, src=0, group=self._group)
        return known.tolist()

    def gather(self, value: Any) -> list[Any]:
        """What each rank has, in their order; each must call this at the same point."""
        from torch import distributed

        found: list[Any] = [None] * self.world
        distributed.all_gather_object(found, value, group=self._group)
        return found


def join(recipe: Recipe) -> Rank | None:
    """Meets the other ranks; None for a run of one process.

    Raises:
        BadInput: torch does not reach this rank's GPU.
        TunedeckError: there are not as many as were asked for.
    """
    wanted = devices_of(recipe)
    if "WORLD_SIZE" not in os.environ:
        if wanted.ranks > 1:
            raise TunedeckError(
                f"{wanted.ranks} ranks were requested, but this process was started alone", where="training.devices"
            )
        return None
    import torch
    from accelerate import PartialState
    from torch import distributed

    local = int(os.environ["LOCAL_RANK"])
    check_reach(wanted, local)
    if not wanted.cpu:
        torch.cuda.set_device(local)
    state = PartialState(cpu=wanted.cpu, timeout=PATIENCE)
    world = int(os.environ["WORLD_SIZE"])
    if not distributed.is_initialized() or state.num_processes != world:
        raise TunedeckError(
            f"{world} ranks were started, but accelerate sees {state.num_processes}: a run of fewer ranks "
            "would train with another batch size",
            do="Unset the ACCELERATE_ variables of your environment; tunedeck does not need them",
        )
    control = distributed.new_group(backend="gloo", timeout=PATIENCE)  # beside nccl, which only knows GPUs
    return Rank(state.process_index, local, world, control)


def check(rank: Rank, recipe: Recipe, accelerator: Any) -> dict[str, Any]:
    """Makes sure that the trainer runs on the ranks, and in the way, that the recipe names.

    Accelerate falls back in silence: to one rank, and from FSDP to DDP.

    Args:
        rank: of `join`.
        recipe: the recipe.
        accelerator: the trainer's.

    Returns:
        What runs, for the event `ranks`: `world_size, distributed_type, backend, devices, ranks` (identities).

    Raises:
        TunedeckError: it is something else.
    """
    from torch import distributed

    wanted = devices_of(recipe)
    sharded = recipe.training.parallel == "fsdp"
    asked = "FSDP" if sharded else "MULTI_CPU" if wanted.cpu else "MULTI_GPU"
    found = str(accelerator.distributed_type).rpartition(".")[2]
    per_machine = int(os.environ.get("LOCAL_WORLD_SIZE", "0"))
    if accelerator.num_processes != rank.world or per_machine != wanted.ranks or found != asked:
        raise TunedeckError(
            f"The recipe asks for {wanted.ranks} ranks on each machine as {asked}, but this run has "
            f"{accelerator.num_processes} rank{'' if accelerator.num_processes == 1 else 's'}, "
            f"{per_machine} on this machine, as {found}",
            where="training.devices",
        )
    me = process.identify(os.getpid())
    ranks = rank.gather({**(me.to_json() if me else {}), "host": os.uname().nodename, "device": _name(wanted, rank)})
    return {
        "world_size": rank.world,
        "distributed_type": found,
        "backend": str(distributed.get_backend()),
        "devices": [one["device"] for one in ranks],
        "ranks": ranks,
    }


def _name(wanted: Devices, rank: Rank) -> str:
    if wanted.cpu:
        return "cpu"
    import torch

    name = wanted.names[rank.local]
    return f"{f'GPU {name}' if name.isdecimal() else name} {torch.cuda.get_device_name(rank.local)}"
