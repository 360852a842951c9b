"""Whether torch reaches the GPU that a recipe names: the last word, where the preflight could only read files."""

from __future__ import annotations

from core.errors import BadInput
from core.recipe.devices import Devices
from core.recipe.worker_packages import TorchBuild


def check_reach(devices: Devices, local: int = 0) -> None:
    """Makes sure that this process has the GPU that is named for it; training on the CPU instead is no answer.

    Args:
        devices: what the recipe names; the CPU and nothing at all are always there.
        local: this process's number among those of this machine.

    Raises:
        BadInput: torch does not reach it.
    """
    if not devices.names:
        return
    import torch

    if torch.cuda.is_available() and local < torch.cuda.device_count():
        return
    name = devices.names[local]
    gpu = f"GPU {name}" if name.isdecimal() else name
    cuda, hip = torch.version.cuda, torch.version.hip
    build = TorchBuild(torch.__version__, cuda or hip or "", rocm=bool(hip) and not cuda)
    raise BadInput(
        ("" if build.rocm else build.unable([gpu])) or f"torch {build.version} cannot use {gpu}: {_reason()}",
        where="training.devices",
        do="Install a torch that fits this machine's driver, or set training.devices to cpu",
    )


def _reason() -> str:
    import torch

    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().partition("\n")[0].rstrip(".")
    return f"it sees {torch.cuda.device_count()} of the GPUs in the recipe"
