"""Say what this installation and this machine can do: versions, files, GPUs, disk, terminal."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.paths import ROOT, SAMPLE_DATA, THEMES
from core.units import gib, size
from tui.commands.output import print_json, say

_LIGHT = ("textual", "rich", "orjson", "pyarrow", "PyYAML", "nvidia-ml-py", "shtab")
_TRAIN = ("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "accelerate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Print the facts; 1 if something that the light install needs is missing, or torch cannot use the GPUs."""
    facts = examine(Path.cwd())
    if arguments.json:
        print_json(facts)
    else:
        _print(facts)
    return 0 if facts["ok"] else 1


def examine(workspace: Path) -> dict[str, Any]:
    """Everything that can be said without importing what is heavy."""
    from core import __version__
    from core.gpu.host import memory
    from core.gpu.nvml import GpuReader
    from core.jobs.logout import ends_processes
    from core.jobs.rescue import rescued
    from core.jobs.short_lived import short_lived
    from core.recipe.worker_packages import torch_build

    reader = GpuReader()
    reader.open()
    gpus = [sample.to_json() for sample in reader.read()]
    gpu_problem = reader.problem
    reader.close()
    packages = {name: _version(name) for name in (*_LIGHT, *_TRAIN)}
    missing_light = [name for name in _LIGHT if packages[name] is None]
    missing_train = [name for name in _TRAIN if packages[name] is None]
    files = {
        "core": (ROOT / "core" / "__init__.py").is_file(),
        "tui": (ROOT / "tui" / "__init__.py").is_file(),
        "themes": sorted(path.stem for path in THEMES.glob("*.toml")),
        "sample_data": (SAMPLE_DATA / "recipe.yaml").is_file(),
        "tiny_base": (SAMPLE_DATA / "tiny_base" / "model.safetensors").is_file(),
    }
    ram, ram_free = memory()
    disk = shutil.disk_usage(workspace)
    problems = [f"The package {name} is missing: install tunedeck again." for name in missing_light]
    problems += [f"The folder {name} is missing from the installation." for name, there in files.items() if not there]
    torch = torch_build() if gpus else None
    unable = "" if torch is None else torch.unable([f"GPU {gpu['index']}" for gpu in gpus])
    if unable:
        problems.append(f"{unable}: install a torch with CUDA. A recipe that names a GPU cannot start.")
    notes = []
    if missing_train:
        notes.append(f"Training is not installed ({', '.join(missing_train)}): pip install 'tunedeck[train]'.")
    if gpu_problem:
        notes.append(gpu_problem)
    if not os.access(workspace, os.W_OK):
        notes.append(f"{workspace} cannot be written to: start tunedeck in a folder of your own.")
    if why := short_lived(workspace):
        notes.append(f"{clean_line(why, 400)} Keep runs that you need in a folder that stays.")
    notes += [f"The weights of a run that lost its folder are in {clean_line(str(path), 400)}" for path in rescued()]
    if ends_processes(os.environ.get("USER", "")):
        notes.append(
            "This machine ends your processes at logout (KillUserProcesses of systemd-logind), runs included: "
            "`loginctl enable-linger` once, then start `systemd-run --user --scope tunedeck`."
        )
    if packages["textual"] is not None:
        from tui.terminal.fence import FAULTS

        notes += FAULTS.values()
    if not missing_light:
        from tui.keymap import load_keymap

        notes += load_keymap().faults
    from core.dataset.scan.old_copies import unnamed_hub_copies

    for path, held in unnamed_hub_copies(workspace):
        words = f"{clean_line(path.name.replace('--', '/', 1))} from the hub takes {size(held)}"
        notes.append(f"{words}, and no run or recipe names it: rm -r {clean_line(str(path), 400)}")
    return {
        "ok": not problems,
        "tunedeck": __version__,
        "installed_in": str(ROOT),
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "platform": platform.platform(),
        "packages": packages,
        "can_train": not missing_train and find_spec("torch") is not None,
        "can_train_on_gpu": torch is not None and not unable,
        "files": files,
        "gpus": gpus,
        "gpu_problem": gpu_problem,
        "cpus": os.cpu_count(),
        "ram_bytes": ram,
        "ram_free_bytes": ram_free,
        "workspace": str(workspace),
        "disk_free_bytes": disk.free,
        "terminal": os.environ.get("TERM", ""),
        "problems": problems,
        "notes": notes,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _print(facts: dict[str, Any]) -> None:
    say(f"tunedeck {facts['tunedeck']} on Python {facts['python']}, {facts['platform']}")
    say(f"  installed in {facts['installed_in']}")
    for name, version in facts["packages"].items():
        say(f"  {name.ljust(14)} {version or 'not installed'}")
    for gpu in facts["gpus"]:
        total = gpu.get("memory_total")
        say(f"  GPU {gpu['index']}: {gpu['name']}{', ' + gib(total) if total else ''}")
    ram, free = facts["ram_bytes"], facts["ram_free_bytes"]
    of_ram = f"{gib(ram)} of RAM ({gib(free)} free), " if ram is not None and free is not None else ""
    say(f"  {facts['cpus']} CPUs, {of_ram}{gib(facts['disk_free_bytes'])} of disk free in {facts['workspace']}")
    say(f"  themes: {', '.join(facts['files']['themes'])}")
    for line in (*facts["problems"], *facts["notes"]):
        say(f"  ! {line}")
    say(
        "Everything that the viewer and the data tools need is here."
        if facts["ok"]
        else "Something is wrong with this installation: see the lines with ! above."
    )
    if not facts["can_train"]:
        say("Training cannot start here.")
    elif facts["gpus"] and not facts["can_train_on_gpu"]:
        say("Training can start on the CPU only.")
    else:
        say("Training can start.")
