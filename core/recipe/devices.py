"""What a recipe's `training.devices` names: GPUs by number, or the CPU, and how many processes that makes.

Standard library only; the queue, the keeper's command and the worker read it by the same code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import BadInput

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_CPU = re.compile(r"cpu(?:x([1-9]\d?))?")
_GPUS = re.compile(r"\d+(,\d+)*")


@dataclass(frozen=True, slots=True)
class Devices:
    """What a run computes on.

    Attributes:
        cpu: whether it is the CPU.
        names: numbers of GPUs as nvidia-smi counts; empty for the CPU, and where the recipe leaves it open.
        ranks: processes on one machine: one a device.
    """

    cpu: bool
    names: tuple[str, ...]
    ranks: int

    @property
    def visible(self) -> str | None:
        """`CUDA_VISIBLE_DEVICES` of the run; None where the recipe leaves it open."""
        if self.cpu:
            return ""
        return ",".join(self.names) if self.names else None


def devices_of(recipe: Recipe) -> Devices:
    """What a recipe names.

    Raises:
        BadInput: it names nothing.
    """
    return parse_devices(recipe.training.devices)


def parse_devices(text: str) -> Devices:
    """What `0`, `0,1`, `cpu`, `cpux2` or nothing mean.

    Raises:
        BadInput: it is something else, or a GPU is named twice.
    """
    written = text.replace(" ", "")
    if not written:
        return Devices(False, (), 1)
    if cpu := _CPU.fullmatch(written):
        return Devices(True, (), int(cpu[1] or 1))
    if not _GPUS.fullmatch(written):
        raise BadInput(
            f"'{text}' is not a list of devices",
            where="training.devices",
            do="Use a GPU number such as 0, several such as 0,1, cpu (cpux2: two processes), or leave it empty",
        )
    names = tuple(str(int(part)) for part in written.split(","))
    if len(set(names)) < len(names):
        raise BadInput(f"'{text}' lists the same GPU twice", where="training.devices", do="List each GPU once")
    return Devices(False, names, len(names))


def ranks_of(recipe: Recipe) -> int:
    """Processes of a run on one machine; 1 where the recipe names nothing that can be read."""
    return ranks_in(recipe.training.devices)


def ranks_in(devices: str) -> int:
    """The same from the text of `training.devices`."""
    try:
        return parse_devices(devices).ranks
    except BadInput:
        return 1


def is_sharded(recipe: Recipe) -> bool:
    """Whether the model is sharded over several devices (FSDP) instead of copied to each."""
    return recipe.training.parallel == "fsdp" and ranks_of(recipe) > 1
