"""Where a run will compute: its devices, whether torch reaches them, and what memory is free there.

Form, preflight, forecast and start ask here, so that they speak of the same device as the worker. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.gpu import host
from core.gpu.nvml import UNREADABLE, DriverVersion
from core.gpu.readings import GpuSample
from core.gpu.selection import label_of
from core.recipe.devices import RunDevices, run_devices
from core.recipe.precision import DeviceType
from core.recipe.recipe import Recipe
from core.recipe.torch_reach import PROBE, TorchReach
from core.recipe.worker_packages import TorchBuild, torch_build

AMPERE = (8, 0)
"""The first compute capability with bfloat16 and flash attention."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a run will compute.

    Attributes:
        devices: what recipe, environment and machine give it.
        device: what its memory is forecast for.
        torch: the build that trains, where it was of interest and is known.
        reach: what that torch said itself; None where it was not asked, or gave no answer.
        checking: whether it is being asked right now.
        unable: why torch cannot use the GPUs, without a period; "" if it can, or if there are none.
        free: bytes of memory that are free, the least of all its devices; None where that is unknown.
        total: bytes in all, likewise.
    """

    devices: RunDevices
    device: DeviceType
    torch: TorchBuild | None = None
    reach: TorchReach | None = None
    checking: bool = False
    unable: str = ""
    free: int | None = None
    total: int | None = None

    @property
    def cpu(self) -> bool:
        """Whether it will compute on the CPU."""
        return self.device == "cpu"

    @property
    def names(self) -> tuple[str, ...]:
        """The GPUs, as sentences call them: `GPU 0 NVIDIA A100`."""
        if not self.devices.gpus and self.reach is not None:
            return (self.reach.name or "a GPU",)
        return tuple(f"{label_of(gpu)} {gpu.name or ''}".rstrip() for gpu in self.devices.gpus)


def placement_of(
    recipe: Recipe,
    gpus: Sequence[GpuSample],
    driver: DriverVersion | None = None,
    *,
    problem: str = "",
    wait: bool = True,
) -> Placement:
    """Where a run will compute.

    Args:
        recipe: the recipe.
        gpus: all devices of this machine, as `core.gpu.nvml.GpuReader.read` lists them.
        driver: NVIDIA's, None where it does not say its version.
        problem: why there are none to read, or "".
        wait: whether to wait for torch's own answer, for seconds at the first time; else `checking` says that it is
            being asked.
    """
    devices = run_devices(recipe, gpus)
    if devices.cpu:
        return _on_cpu(devices)
    build = torch_build()
    if not gpus and (build is None or not (build.rocm or (build.gpu and problem.startswith(UNREADABLE)))):
        return _on_cpu(devices)  # no driver: its sentence is the preflight's
    names = [label_of(gpu) for gpu in devices.gpus]
    unable = "" if build is None or devices.fault else build.unable(names, driver)
    if unable:
        return _on_cpu(devices, build, unable=unable)
    reach, checking = None, False
    if build is not None and not devices.fault:
        if wait:
            reach = PROBE.ask(build, driver, devices.visible)
        else:
            known, reach = PROBE.known(build, driver, devices.visible)
            checking = not known
    if reach is not None and (reach.error or reach.count < len(devices.gpus)):
        why = reach.error or f"it sees only {reach.count} of them"
        return _on_cpu(devices, build, reach, f"torch {build.version if build else ''} cannot use {_all(names)}: {why}")
    return Placement(
        devices,
        "cuda" if _ampere(devices.gpus, reach) else "cuda_fp16",
        build,
        reach,
        checking,
        free=min((gpu.free for gpu in devices.gpus if gpu.free is not None), default=None),
        total=_total(devices.gpus, reach),
    )


def _on_cpu(
    devices: RunDevices, build: TorchBuild | None = None, reach: TorchReach | None = None, unable: str = ""
) -> Placement:
    total, free = host.memory()
    return Placement(devices, "cpu", build, reach, unable=unable, free=free, total=total)


def _all(names: Sequence[str]) -> str:
    return ", ".join(names) or "a GPU"


def _ampere(gpus: Sequence[GpuSample], reach: TorchReach | None) -> bool:
    """Whether all of them have bfloat16; where nobody tells, as most that train today."""
    known = [gpu.capability for gpu in gpus if gpu.capability is not None]
    if not known and reach is not None and reach.capability is not None:
        known = [reach.capability]
    return all(capability >= AMPERE for capability in known)


def _total(gpus: Sequence[GpuSample], reach: TorchReach | None) -> int | None:
    if not gpus:
        return None if reach is None else reach.memory
    return min((gpu.memory_total for gpu in gpus if gpu.memory_total is not None), default=None)
