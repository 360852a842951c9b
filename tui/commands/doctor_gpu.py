"""What `tunedeck doctor` says of GPUs, driver and torch: whether they fit each other, and what to install if not."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.clean import clean_line
from core.gpu.nvml import DriverVersion
from core.gpu.readings import GpuSample, labels
from core.gpu.selection import VARIABLE, label_of, visible_gpus
from core.recipe.torch_reach import TorchReach
from core.recipe.worker_packages import TorchBuild
from tui.commands.doctor_finding import DoctorFinding

AskTorch = Callable[[TorchBuild, DriverVersion | None, str | None], TorchReach | None]

_WHEELS: Mapping[int, str] = {12: "cu128", 13: "cu130"}
"""By the CUDA that a driver supports, the index of torch's wheels that run on it: within one major number, all do."""


def examine_gpus(
    gpus: Sequence[Mapping[str, Any]], driver: DriverVersion | None, torch: TorchBuild | None, python: str
) -> list[DoctorFinding]:
    """What keeps torch from using these GPUs.

    Args:
        gpus: as `core.gpu.readings.GpuSample.to_json` writes them.
        driver: NVIDIA's, None where it does not say its version.
        torch: the one that trains, None where there is none.
        python: the interpreter that it is in.
    """
    if torch is None or not gpus:
        return []
    names = labels((gpu["index"], gpu.get("uuid")) for gpu in gpus)
    unable = torch.unable(names, driver)
    if not unable:
        return []
    words = f"{unable}. Runs train on the CPU, and a recipe that names a GPU cannot start."
    if torch.cuda is not None:
        words += " Install a matching torch, or update the driver."
    return [DoctorFinding("problem", "gpu", words, _install(python, driver.cuda if driver else (12, 8)))]


def examine_reach(
    gpus: Sequence[Mapping[str, Any]], driver: DriverVersion | None, torch: TorchBuild | None, ask: AskTorch
) -> list[DoctorFinding]:
    """What torch itself says of the GPUs, where files and driver have nothing against it.

    Args:
        gpus: as for `examine_gpus`.
        driver: likewise.
        torch: likewise.
        ask: asks it (`core.recipe.torch_reach.ReachProbe.ask`).
    """
    if torch is None or not torch.gpu or not (gpus or torch.rocm):
        return []
    found, version = ask(torch, driver, None), clean_line(torch.version, 40)
    if found is None:
        return [DoctorFinding("note", "gpu", f"torch {version} did not respond when asked whether it can use the GPU.")]
    if found.error:
        words = f"torch {version} cannot use the GPU: {clean_line(found.error, 300)}. Runs train on the CPU."
        return [DoctorFinding("problem", "gpu", words)]
    if torch.rocm:
        name = clean_line(found.name, 60)
        return [DoctorFinding("note", "gpu", f"torch {version} uses {name} with ROCm; its readings are not available.")]
    return []


def examine_visible(samples: Sequence[GpuSample], visible: str | None) -> list[DoctorFinding]:
    """What `CUDA_VISIBLE_DEVICES` leaves of the GPUs, where it is set.

    Args:
        samples: all GPUs of the machine.
        visible: the variable's value.
    """
    if visible is None or not samples:
        return []
    seen = visible_gpus(samples, visible)
    if not seen.gpus:
        words = f"{seen.note} Runs train on the CPU unless the recipe names a GPU."
        return [DoctorFinding("note", "gpu", words, f"unset {VARIABLE}")]
    names = ", ".join(label_of(gpu) for gpu in seen.gpus)
    words = f"{VARIABLE}={clean_line(visible, 80)}: runs may use {names}."
    return [DoctorFinding("note", "gpu", f"{words} {seen.note}".rstrip())]


def _install(python: str, cuda: tuple[int, int]) -> str:
    """The command that installs a torch for a driver of this CUDA; "" where no torch of today runs on it."""
    wheels = _WHEELS.get(min(cuda[0], max(_WHEELS)))
    if wheels is None:
        return ""
    pip = f"{shlex.quote(clean_line(python, 400))} -m pip install --force-reinstall torch"
    return f"{pip} --index-url https://download.pytorch.org/whl/{wheels}"
