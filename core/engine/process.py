"""What must be settled in a worker's process before torch is imported."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from core.errors import BadInput
from core.recipe.recipe import Recipe
from core.units import size

_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",  # what is trained here is nobody's business
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # the log is a file, not a terminal
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_DISABLED": "true",
    "BITSANDBYTES_NOWELCOME": "1",
}


def prepare(recipe: Recipe) -> None:
    """Chooses the devices and silences the libraries; must run before torch is imported.

    Raises:
        BadInput: the devices are not numbers, or several are named in a process that was not started for them.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not _needs_bitsandbytes(recipe) and "bitsandbytes" not in sys.modules:
        # PEFT imports it wherever it is installed, and that compiles: a sixth of a worker's start for nothing.
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
    if "WORLD_SIZE" in os.environ:  # torchrun has given each rank its device
        return
    devices = recipe.training.devices.replace(" ", "")
    if devices == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    if devices and not re.fullmatch(r"\d+(,\d+)*", devices):
        raise BadInput(
            f"'{devices}' names no devices", where="training.devices", do="Write 0, or 0,1, or cpu, or nothing"
        )
    if "," in devices:
        raise BadInput(
            "A run on several GPUs needs one process for each, and this one was started alone",
            where="training.devices",
            do="Name one GPU",
        )
    # With several GPUs in sight one process would be refused by the trainer.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    elif visible is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    elif "," in visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.partition(",")[0]


def _needs_bitsandbytes(recipe: Recipe) -> bool:
    """Whether weights or optimizer are quantized; also yes where that cannot be known without the network."""
    if recipe.model.quantization != "none" or recipe.training.optimizer.endswith("8bit"):
        return True
    try:
        config = json.loads(Path(recipe.model.path, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return not isinstance(config, dict) or "quantization_config" in config


def memory_held() -> str:
    """What this process holds of GPU memory (as torch reserves it) and RAM, in words."""
    with open("/proc/self/statm", encoding="ascii") as file:
        ram = f"{size(int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE'))} of RAM"
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ram
    return f"{size(torch.cuda.memory_reserved())} of GPU memory and {ram}"


def set_threads(recipe: Recipe) -> None:
    """Gives torch the recipe's number of CPU threads, where it names one."""
    import torch

    if recipe.training.cpu_threads:
        torch.set_num_threads(recipe.training.cpu_threads)
