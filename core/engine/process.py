"""What must be settled in a worker's process before torch is imported."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.gpu.selection import VARIABLE
from core.recipe.devices import devices_of
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.recipe import Recipe
from core.units import size

_OF_ROCM = "HIP_VISIBLE_DEVICES"
_ALLOCATOR, _GROWING = "PYTORCH_ALLOC_CONF", "expandable_segments"

_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",  # what is trained here is nobody's business
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # the log is a file, not a terminal
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_DISABLED": "true",
    "BITSANDBYTES_NOWELCOME": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "TRL_EXPERIMENTAL_SILENCE": "1",  # docs/tasks.md says which tasks are experimental in TRL
    "GRADIO_ANALYTICS_ENABLED": "False",  # of trackio's
}


def prepare(recipe: Recipe, *, alone: bool = False) -> None:
    """Chooses the devices and silences the libraries; must run before torch is imported.

    Args:
        recipe: the recipe.
        alone: whether one process does all the work, on the first of several devices.

    Raises:
        BadInput: the devices are not numbers.
    """
    for name, value in _QUIET.items():
        if name != "WANDB_DISABLED" or "wandb" not in recipe.reporting.report_to:
            os.environ.setdefault(name, value)
    if not _needs_bitsandbytes(recipe) and "bitsandbytes" not in sys.modules:
        # PEFT imports it wherever it is installed, and that compiles: a sixth of a worker's start for nothing.
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
    os.environ.update(settings_before_torch(recipe, os.environ))
    devices = devices_of(recipe)
    if devices.cpu:
        os.environ[VARIABLE] = ""
        return
    if "WORLD_SIZE" in os.environ and not alone:  # torchrun has given each rank its device
        return
    # With several GPUs in sight one process would be refused by the trainer.
    visible = devices.visible or os.environ.get(VARIABLE, "0")
    os.environ[VARIABLE] = visible.partition(",")[0]
    if _OF_ROCM in os.environ:  # there it counts before the other
        os.environ[_OF_ROCM] = (devices.visible or os.environ[_OF_ROCM]).partition(",")[0]


def settings_before_torch(recipe: Recipe, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that CUDA and its allocator only read before they are first used. Not tested on a GPU yet.

    Args:
        recipe: the recipe.
        environment: what is set already; the allocator's other settings stay.
    """
    found = {}
    if recipe.training.expandable_segments:
        kept = [part for part in environment.get(_ALLOCATOR, "").split(",") if part and _GROWING not in part]
        found[_ALLOCATOR] = ",".join((*kept, f"{_GROWING}:True"))
    if recipe.training.deterministic:
        found["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"  # as transformers sets it, but that is after the first product
    return found


def _needs_bitsandbytes(recipe: Recipe) -> bool:
    """Whether weights or optimizer are quantized; also yes where that cannot be known without the network."""
    if recipe.model.quantization != "none" or OPTIMIZERS[recipe.training.optimizer].package == "bitsandbytes":
        return True
    try:
        config = json.loads(Path(recipe.model.path, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return not isinstance(config, dict) or "quantization_config" in config


def memory_held() -> tuple[int, int]:
    """What this process holds of GPU memory (as torch reserves it) and of RAM, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        ram = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0, ram
    return int(torch.cuda.memory_reserved()), ram


def memory_words(held: Sequence[tuple[int, int]]) -> str:
    """What the ranks of a run hold together: `7.2 GiB of GPU memory and 3.1 GiB of RAM`."""
    gpu, ram = (sum(part) for part in zip(*held, strict=True))
    words = f"{size(gpu)} of GPU memory and {size(ram)} of RAM" if gpu else f"{size(ram)} of RAM"
    return words if len(held) == 1 else f"{words} on {len(held)} ranks"


def set_threads(recipe: Recipe) -> None:
    """Gives torch the recipe's number of CPU threads, where it names one."""
    import torch

    if recipe.training.cpu_threads:
        torch.set_num_threads(recipe.training.cpu_threads)
