"""Which GPUs a process sees under a `CUDA_VISIBLE_DEVICES`, and which one a name means. Everybody asks here.

The variable is read as CUDA reads it: numbers, or UUIDs of which a unique beginning is enough (`GPU-5d3a`), or MIG
slices (`MIG-...`); all entries of a list are of the kind of its first. The first entry that names nothing ends the
list, and an entry that comes twice leaves none at all. Numbers are as nvidia-smi counts, which holds for CUDA under
`CUDA_DEVICE_ORDER=PCI_BUS_ID`; `core.jobs.launch` sets that. Not tested on a GPU yet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.clean import clean_line
from core.gpu.readings import GpuSample

VARIABLE = "CUDA_VISIBLE_DEVICES"

_NUMBER = re.compile(r"\s*\+?(\d+)")


@dataclass(frozen=True, slots=True)
class VisibleGpus:
    """What a value of the variable leaves.

    Attributes:
        gpus: the GPUs, or MIG slices, in the order of the list.
        note: a sentence if the value hides all of them, or if a part of it names nothing; else "".
    """

    gpus: tuple[GpuSample, ...]
    note: str = ""


def visible_here() -> str | None:
    """The variable in this process; None where it is not set."""
    return os.environ.get(VARIABLE)


def visible_gpus(samples: Sequence[GpuSample], visible: str | None) -> VisibleGpus:
    """The devices that a process with this value may use.

    Args:
        samples: all devices of the machine, as `core.gpu.nvml.GpuReader.read` lists them.
        visible: the value; None (not set) means all of them.
    """
    if visible is None:
        return VisibleGpus(tuple(samples))
    said = f"{VARIABLE}={clean_line(visible, 80)}"
    entries = [entry.strip() for entry in visible.split(",")]
    kind = next((begin for begin in ("GPU-", "MIG-") if entries[0].startswith(begin)), "")
    chosen: list[GpuSample] = []
    for entry in entries:
        gpu = _entry(samples, entry, kind)
        if gpu is None:
            break
        if gpu in chosen:
            return VisibleGpus((), f"{said} lists {label_of(gpu)} twice, so CUDA sees no GPU.")
        chosen.append(gpu)
    if len(chosen) == len(entries):
        return VisibleGpus(tuple(chosen))
    unknown = clean_line(entries[len(chosen)], 60)
    if chosen and not any(entries[len(chosen) :]):  # a comma at the end
        return VisibleGpus(tuple(chosen))
    if chosen:
        rest = f"{said}: {unknown} is not a GPU on this machine, so CUDA ignores it and everything after it."
        return VisibleGpus(tuple(chosen), rest if samples else "")
    if not visible.strip():
        return VisibleGpus((), f"{VARIABLE} is empty, which hides all GPUs.")
    if not re.match(r"\s*\+?\d|GPU-|MIG-", entries[0]):
        return VisibleGpus((), f"{said} hides all GPUs.")
    return VisibleGpus((), f"{said} names no GPU on this machine, so CUDA sees none.")


def devices_of_run(samples: Sequence[GpuSample], visible: str | None) -> tuple[GpuSample, ...]:
    """The devices of a run whose processes have this value.

    Args:
        samples: all devices of the machine.
        visible: the value; without one a run takes the first device.
    """
    return visible_gpus(samples, visible).gpus if visible is not None else tuple(samples[:1])


def gpus_named(samples: Sequence[GpuSample], name: str) -> tuple[GpuSample, ...]:
    """The devices that a name in a recipe means: one; none if there is no such device, several if it is ambiguous.

    The number of a GPU that is divided into MIG slices means its first slice, as it does for CUDA.

    Args:
        samples: all devices of the machine.
        name: a number, or a UUID or its beginning.
    """
    if name.isdecimal():
        return tuple(gpu for gpu in samples if gpu.index == int(name))[:1]
    exact = tuple(gpu for gpu in samples if gpu.uuid == name)
    return exact or tuple(gpu for gpu in samples if gpu.uuid is not None and gpu.uuid.startswith(name))


def label_of(gpu: GpuSample) -> str:
    """What sentences call a device: `GPU 0`, or a MIG slice by the beginning of its UUID."""
    return f"GPU {gpu.index}" if gpu.name_for_cuda.isdecimal() else clean_line(gpu.name_for_cuda, 14)


def _entry(samples: Sequence[GpuSample], entry: str, kind: str) -> GpuSample | None:
    """What one entry names; None where CUDA would end the list."""
    if not kind:
        number = _NUMBER.match(entry)  # by strtoul: what follows the digits does not count
        found = gpus_named(samples, number[1]) if number else ()
    else:
        found = gpus_named(samples, entry) if entry.startswith(kind) and len(entry) > len(kind) else ()
    return found[0] if len(found) == 1 else None
