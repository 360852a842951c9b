"""What a recipe's `training.devices` names: GPUs, MIG slices or the CPU; and which devices its run will use.

Standard library only; the form, the queue, the keeper's command and the worker read it by the same code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.errors import BadInput
from core.gpu.readings import GpuSample
from core.gpu.selection import VARIABLE, gpus_named, label_of, visible_gpus, visible_here

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_CPU = re.compile(r"cpu(?:x([1-9]\d?))?")
_NAME = re.compile(r"\d+|GPU-[0-9A-Za-z-]+|MIG-[0-9A-Za-z/-]+")


@dataclass(frozen=True, slots=True)
class Devices:
    """What a run computes on.

    Attributes:
        cpu: whether it is the CPU.
        names: GPUs by the numbers of nvidia-smi or by UUID, MIG slices by UUID; empty for the CPU, and where the recipe
            leaves it open.
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
    """What `0`, `0,1`, `GPU-5d3a`, `MIG-...`, `cpu`, `cpux2` or nothing mean.

    Raises:
        BadInput: it is something else, or a GPU is named twice.
    """
    written = text.replace(" ", "")
    if not written:
        return Devices(False, (), 1)
    if cpu := _CPU.fullmatch(written):
        return Devices(True, (), int(cpu[1] or 1))
    parts = written.split(",")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise BadInput(
            f"'{text}' is not a list of devices",
            where="training.devices",
            do="Use a GPU number such as 0, several such as 0,1, a UUID (GPU-... or MIG-...), cpu (cpux2: two "
            "processes), or leave it empty",
        )
    names = tuple(str(int(part)) if part.isdecimal() else part for part in parts)
    if len(set(names)) < len(names):
        raise BadInput(f"'{text}' lists the same GPU twice", where="training.devices", do="List each GPU once")
    return Devices(False, names, len(names))


@dataclass(frozen=True, slots=True)
class RunDevices:
    """The devices that a run will use, by its recipe, the environment and the GPUs of this machine.

    Attributes:
        cpu: whether it is the CPU: by the recipe, or because there is nothing else.
        gpus: the GPUs or MIG slices otherwise, one a rank; empty where none can be read.
        visible: `CUDA_VISIBLE_DEVICES` of its processes; None leaves that of the environment.
        fault: a sentence if the recipe names what is not there, else "".
        note: a sentence on what the environment or MIG changes, else "".
    """

    cpu: bool
    gpus: tuple[GpuSample, ...]
    visible: str | None
    fault: str = ""
    note: str = ""


def run_devices(recipe: Recipe, samples: Sequence[GpuSample], *, visible: str | None = None) -> RunDevices:
    """The devices that a run will use.

    What the recipe names takes precedence over the environment; where it leaves the device open, the run gets the first
    that the environment shows.

    Args:
        recipe: the recipe; devices that cannot be parsed count as none (`rules.devices` says what is wrong).
        samples: all devices of the machine; empty where none can be read.
        visible: the environment's `CUDA_VISIBLE_DEVICES`; by default that of this process.
    """
    shown = visible if visible is not None else visible_here()
    try:
        named = devices_of(recipe)
    except BadInput:
        named = Devices(False, (), 1)
    if named.cpu:
        return RunDevices(True, (), "")
    if not samples:
        return RunDevices(False, (), named.visible)
    if named.names:
        return _named(named, samples, shown)
    seen = visible_gpus(samples, shown)
    if not seen.gpus:
        return RunDevices(True, (), "", note=seen.note)
    first = seen.gpus[0]
    note = seen.note or _sliced(first, samples, (shown or "").strip()) or _order(samples)
    return RunDevices(False, (first,), first.name_for_cuda, note=note)


def _named(named: Devices, samples: Sequence[GpuSample], shown: str | None) -> RunDevices:
    chosen: list[GpuSample] = []
    for name in named.names:
        found = gpus_named(samples, name)
        said = clean_line(f"GPU {name}" if name.isdecimal() else name, 60)
        if not found:
            there = ", ".join(dict.fromkeys(gpu.name_for_cuda for gpu in samples))
            fault = f"There is no {said}; this machine has {clean_line(there, 400)}."
        elif len(found) > 1:
            fault = f"{said} is ambiguous: {len(found)} devices have a UUID that starts with it. Write more of it."
        elif found[0] in chosen:
            fault = f"{said} is listed twice. List each GPU once."
        else:
            chosen += found
            continue
        return RunDevices(False, tuple(chosen), named.visible, fault=fault)
    gpus, text = tuple(chosen), ",".join(gpu.name_for_cuda for gpu in chosen)
    if len(gpus) > 1 and (sliced := [gpu for gpu in gpus if not gpu.name_for_cuda.isdecimal()]):
        fault = f"A process can use only one MIG slice: a run on {label_of(sliced[0])} cannot use a second device."
        return RunDevices(False, gpus, text, fault=fault)
    note = _outside(gpus, samples, shown) or _sliced(gpus[0], samples, named.names[0]) or _order(samples)
    return RunDevices(False, gpus, text, note=note)


def _outside(gpus: Sequence[GpuSample], samples: Sequence[GpuSample], shown: str | None) -> str:
    """A recipe that names what the environment hides: it wins, but that is not silent."""
    if shown is None:
        return ""
    seen = visible_gpus(samples, shown).gpus
    outside = [label_of(gpu) for gpu in gpus if gpu not in seen]
    if not outside:
        return ""
    words = f"{VARIABLE}={clean_line(shown, 60)}" if shown.strip() else f"an empty {VARIABLE}"
    return f"The recipe names {', '.join(outside)}, which {words} hides. The recipe takes precedence."


def _order(samples: Sequence[GpuSample]) -> str:
    """CUDA may be told to count otherwise than nvidia-smi; a run counts as nvidia-smi does."""
    order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if order == "PCI_BUS_ID" or len(samples) < 2:
        return ""
    return f"CUDA_DEVICE_ORDER={clean_line(order, 40)} is ignored: GPU numbers are those of nvidia-smi."


def _sliced(gpu: GpuSample, samples: Sequence[GpuSample], name: str) -> str:
    """The number of a GPU with several slices means the first of them."""
    slices = [other for other in samples if other.index == gpu.index]
    if len(slices) < 2 or name.startswith("MIG"):
        return ""
    uuid = clean_line(gpu.uuid or "", 60)
    return f"GPU {gpu.index} is divided into {len(slices)} MIG slices; the run uses the first, {uuid}."


def full_names(recipe: Recipe, samples: Sequence[GpuSample]) -> str:
    """The recipe's devices with whole UUIDs where it has beginnings of them: CUDA takes none of a MIG slice's.

    Args:
        recipe: the recipe; its devices are there.
        samples: all devices of the machine.
    """
    names = devices_of(recipe).names
    full = [found[0].uuid or name if len(found := _by_uuid(samples, name)) == 1 else name for name in names]
    return recipe.training.devices if tuple(full) == names else ",".join(full)


def _by_uuid(samples: Sequence[GpuSample], name: str) -> tuple[GpuSample, ...]:
    return () if name.isdecimal() else gpus_named(samples, name)


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
