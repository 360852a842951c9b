"""What `tunedeck doctor` says of GPUs, driver and torch: whether they fit each other, and what to install if not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from core.clean import clean_line
from core.gpu.nvml import DriverVersion
from core.recipe.worker_packages import TorchBuild
from tui.commands.doctor_finding import DoctorFinding

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
    names = [f"GPU {gpu['index']}" for gpu in gpus]
    version = clean_line(torch.version, 40)
    if unable := torch.unable(names):
        words = f"{unable}. Runs train on the CPU, and a recipe that names a GPU cannot start."
        return [DoctorFinding("problem", "gpu", words, _install(python, driver.cuda if driver else (12, 8)))]
    built = _number(torch.gpu)
    if driver is None or built is None or "rocm" in version or built[0] <= driver.cuda[0]:
        return []
    known = f"{driver.cuda[0]}.{driver.cuda[1]}"
    words = (
        f"torch {version} is built for CUDA {torch.gpu}, but NVIDIA driver {clean_line(driver.version, 40)} supports "
        f"only CUDA {known}: training on {', '.join(names)} will fail. Install a matching torch, or update the driver."
    )
    return [DoctorFinding("problem", "gpu", words, _install(python, driver.cuda))]


def _install(python: str, cuda: tuple[int, int]) -> str:
    """The command that installs a torch for a driver of this CUDA; "" where no torch of today runs on it."""
    wheels = _WHEELS.get(min(cuda[0], max(_WHEELS)))
    if wheels is None:
        return ""
    pip = f"{shlex.quote(clean_line(python, 400))} -m pip install --force-reinstall torch"
    return f"{pip} --index-url https://download.pytorch.org/whl/{wheels}"


def _number(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
