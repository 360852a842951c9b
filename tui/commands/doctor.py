"""Check this installation and this machine: packages, GPUs and torch, disk, Hub login, terminal.

Below each problem is the command that fixes it. It does not use the network. The exit code is 1 if something is broken.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import sys
import textwrap
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.paths import ROOT, SAMPLE_DATA, THEMES
from core.units import gib, size
from tui.commands.doctor_finding import DoctorFinding
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.recipe.worker_packages import TorchBuild

_LIGHT = ("textual", "rich", "orjson", "pyarrow", "PyYAML", "nvidia-ml-py", "shtab")
_TRAIN = ("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "accelerate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--gpu",
        action="store_true",
        help="Train a small model on the GPU and check memory forecast, readings, resume and speed (up to 8 minutes).",
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Print the facts; 1 if something is missing from the installation, or torch cannot use the GPUs."""
    if arguments.gpu:
        from tui.commands.doctor_check import check_gpu

        return check_gpu(as_json=arguments.json)
    facts = examine(Path.cwd())
    if arguments.json:
        print_json(facts)
    else:
        print_facts(facts)
    return 0 if facts["ok"] else 1


def examine(workspace: Path) -> dict[str, Any]:
    """Everything that can be found out without importing heavy packages."""
    from core import __version__
    from core.gpu.host import memory
    from core.gpu.nvml import GpuReader
    from core.gpu.selection import visible_gpus, visible_here
    from core.jobs.files import no_more_files
    from core.jobs.launch import worker_python
    from core.jobs.logout import ends_processes
    from core.jobs.rescue import rescued
    from core.jobs.short_lived import short_lived
    from core.recipe.torch_reach import PROBE
    from core.recipe.worker_packages import torch_build
    from tui.commands.doctor_gpu import examine_gpus, examine_reach, examine_visible
    from tui.commands.doctor_hub import examine_hub
    from tui.commands.doctor_terminal import examine_terminal
    from tui.terminal.codeset import terminal_codeset

    reader = GpuReader()
    reader.open()
    machine = reader.inventory()
    gpus, gpu_problem, driver = [sample.to_json() for sample in machine.gpus], machine.problem, machine.driver
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
    findings: list[DoctorFinding] = []

    def problem(message: str, fix: str = "") -> None:
        findings.append(DoctorFinding("problem", "installation", message, fix))

    def note(area: str, message: str, fix: str = "") -> None:
        findings.append(DoctorFinding("note", area, message, fix))

    for name in missing_light:
        problem(f"The package {name} is not installed.", f"pip install {name}")
    for name, there in files.items():
        if not there:
            problem(f"The folder {name} is missing from the installation.", "pip install --force-reinstall tunedeck")
    torch = torch_build()
    unfit = examine_gpus(gpus, driver, torch, worker_python())
    reach = [] if unfit or visible_here() == "" else examine_reach(gpus, driver, torch, PROBE.ask)
    unfit += [found for found in reach if found.level == "problem"]
    findings += [
        *unfit,
        *(found for found in reach if found.level == "note"),
        *examine_visible(machine.gpus, visible_here()),
    ]
    if missing_train:
        note("installation", f"Training is not installed: {', '.join(missing_train)}.", "pip install 'tunedeck[train]'")
    if gpu_problem:
        note("gpu", gpu_problem)
    hub, of_hub = examine_hub(os.environ)
    terminal, of_terminal = examine_terminal(os.environ, size=_terminal_size(), codeset=terminal_codeset())
    findings += [*of_hub, *of_terminal]
    if not os.access(workspace, os.W_OK):
        note("workspace", f"{workspace} is not writable: start tunedeck in a folder that you can write to.")
    if out_of_inodes := no_more_files(workspace):
        largest = f"du --inodes -d 1 {shlex.quote(str(workspace))} | sort -n"
        note("workspace", f"{out_of_inodes}. Delete some files; this shows where they are:", largest)
    if why := short_lived(workspace):
        note("workspace", f"{clean_line(why, 400)} Keep runs that you need somewhere else.")
    for path in rescued():
        note("workspace", f"The weights of a run that lost its folder are in {clean_line(str(path), 400)}")
    if ends_processes(os.environ.get("USER", "")):
        note(
            "workspace",
            "This machine kills your processes when you log out, including runs (KillUserProcesses of systemd-logind).",
            "loginctl enable-linger && systemd-run --user --scope tunedeck",
        )
    if packages["textual"] is not None:
        from tui.terminal.fence import FAULTS

        for fault in FAULTS.values():
            note("terminal", fault)
    if not missing_light:
        from tui.keymap import load_keymap

        for fault in load_keymap().faults:
            note("terminal", fault)
    from core.dataset.scan.old_copies import unnamed_hub_copies

    for path, held in unnamed_hub_copies(workspace):
        words = f"{clean_line(path.name.replace('--', '/', 1))} from the Hub takes {size(held)}"
        remove = f"rm -r {shlex.quote(clean_line(str(path), 400))}"
        note("workspace", f"{words}, and no run or recipe uses it.", remove)
    return {
        "ok": not any(found.level == "problem" for found in findings),
        "tunedeck": __version__,
        "installed_in": str(ROOT),
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "platform": platform.platform(),
        "packages": packages,
        "can_train": not missing_train and find_spec("torch") is not None,
        "can_train_on_gpu": bool(gpus) and torch is not None and not unfit,
        "files": files,
        "gpus": gpus,
        "gpu_problem": gpu_problem,
        "visible_gpus": [gpu.name_for_cuda for gpu in visible_gpus(machine.gpus, visible_here()).gpus],
        "cpus": os.cpu_count(),
        "ram_bytes": ram,
        "ram_free_bytes": ram_free,
        "workspace": str(workspace),
        "disk_free_bytes": disk.free,
        "out_of_inodes": bool(out_of_inodes),
        "driver": None if driver is None else {"version": driver.version, "cuda": ".".join(map(str, driver.cuda))},
        "torch": None if torch is None else _torch_json(torch),
        "hub": hub,
        "terminal": terminal["term"],
        "screen": terminal,
        "problems": [_with_fix(found) for found in findings if found.level == "problem"],
        "notes": [_with_fix(found) for found in findings if found.level == "note"],
        "findings": [found.to_json() for found in findings],
    }


def _torch_json(torch: TorchBuild) -> dict[str, str]:
    rocm = {"platform": "rocm"} if torch.rocm else {}
    return {"version": torch.version, "built_for": torch.gpu or "cpu", **rocm}


def _with_fix(found: DoctorFinding) -> str:
    return f"{found.message} {found.fix}".rstrip()


def _terminal_size() -> tuple[int, int] | None:
    """Columns and rows; None where neither input nor output is a terminal, or it does not say."""
    for stream in (sys.stdout, sys.stdin):
        if stream is not None and stream.isatty():
            columns, rows = os.get_terminal_size(stream.fileno())
            return (columns, rows) if columns and rows else None
    return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def print_facts(facts: dict[str, Any]) -> None:
    """Print what `examine` has found, with the command that fixes it below each finding."""
    from core.gpu.readings import labels

    say(f"tunedeck {facts['tunedeck']} on Python {facts['python']}, {facts['platform']}")
    say(f"  installed in {facts['installed_in']}")
    for name, version in facts["packages"].items():
        say(f"  {name.ljust(14)} {version or 'not installed'}")
    ram, free = facts["ram_bytes"], facts["ram_free_bytes"]
    inodes = ", but out of inodes" if facts["out_of_inodes"] else ""
    of_ram = f"{gib(ram)} of RAM ({gib(free)} free), " if ram is not None and free is not None else ""
    say(f"  {facts['cpus']} CPUs, {of_ram}{gib(facts['disk_free_bytes'])} of disk free{inodes} in {facts['workspace']}")
    for label, gpu in zip(labels((gpu["index"], gpu.get("uuid")) for gpu in facts["gpus"]), facts["gpus"], strict=True):
        total = gpu.get("memory_total")
        say(f"  {label}: {gpu['name']}{', ' + gib(total) if total else ''}")
    driver, torch, hub, screen = facts["driver"], facts["torch"], facts["hub"], facts["screen"]
    if driver:
        say(f"  NVIDIA driver {driver['version']}, up to CUDA {driver['cuda']}")
    if torch:
        built = torch["built_for"]
        platform_name = "ROCm" if torch.get("platform") == "rocm" else "CUDA"
        say(f"  torch {torch['version']} built for {'the CPU only' if built == 'cpu' else f'{platform_name} {built}'}")
    login = f"logged in, token from {hub['token_from']} (not checked online)" if hub["token_from"] else "not logged in"
    say(f"  Hub: {login}{', offline' if hub['offline'] else ''}, {hub['endpoint']}")
    size = "x".join(map(str, screen["size"])) if screen["size"] else "not a terminal"
    colors = "true color" if screen["colors"] > 256 else f"{screen['colors']} colors"
    tmux = f", tmux {screen['tmux']}".rstrip() if screen["tmux"] is not None else ""
    say(f"  terminal: {screen['term'] or 'TERM is not set'}, {size}, {colors}, {screen['codeset']}{tmux}")
    say(f"  themes: {', '.join(facts['files']['themes'])}")
    for found in facts["findings"]:
        lead = "  ✗ " if found["level"] == "problem" else "  ! "
        say(textwrap.fill(found["message"], 80, initial_indent=lead, subsequent_indent="    ", break_long_words=False))
        if found["fix"]:
            say(f"      {found['fix']}")
    say(
        "The viewer and the data tools are ready to use."
        if not any(found["level"] == "problem" and found["area"] == "installation" for found in facts["findings"])
        else "This installation is broken: see the lines with ✗ above."
    )
    if not facts["can_train"]:
        say("Training is not possible here.")
    elif facts["gpus"] and not facts["can_train_on_gpu"]:
        say("Training is possible on the CPU only.")
    else:
        say("Training is possible.")
