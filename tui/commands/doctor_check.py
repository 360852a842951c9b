"""What `tunedeck doctor --gpu` does: real runs of a small model on the GPU, and a table of what they showed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.runs.gpu_check import GpuCheckResult

_MARKS = {"ok": "ok   ", "failed": "FAIL ", "skipped": "skip "}
_NAME = 23
"""Cells of a check's name."""


def check_gpu(*, as_json: bool) -> int:
    """Make the checks in a temporary folder and print the table; 1 if one failed.

    Args:
        as_json: print one object instead: `ok`, `gpu`, `versions`, `seconds`, `checks`.
    """
    from core.gpu.nvml import read_gpus
    from core.recipe.config_classes import stack
    from core.recipe.worker_packages import torch_build
    from core.runs.gpu_check import gpu_check

    begun = time.monotonic()
    machine, build = read_gpus(), torch_build()
    usable = bool(machine.gpus) and build is not None and bool(build.gpu) and not build.rocm
    name = clean_line(machine.gpus[0].name or "GPU 0", 80) if machine.gpus else ""
    versions = {each: found.version for each, found in stack().items()}
    if build is not None:
        versions["torch"] = build.version
    if not as_json:
        shown = name if usable else f"no NVIDIA GPU that torch can use{f' ({name})' if name else ''}"
        say(f"GPU check: {shown}; {', '.join(f'{key} {value}' for key, value in versions.items())}")
        say("Real runs of a small model created for the check: at most 8 minutes, no network.")
    folder = Path(tempfile.mkdtemp(prefix="tunedeck-gpu-check-", dir=os.environ.get("TMPDIR") or "/var/tmp"))
    # Nothing of it stays: neither a workspace that lists know, nor a command that is run when a run ends.
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        os.environ[variable] = str(folder / variable.lower())
    try:
        results = gpu_check(folder, gpu=usable, on_result=_ignore if as_json else _say_result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = [each for each in results if each.state == "failed"]
    skipped = [each for each in results if each.state == "skipped"]
    seconds = round(time.monotonic() - begun, 1)
    if as_json:
        found: dict[str, Any] = {"ok": not failed, "gpu": name if usable else None, "versions": versions}
        print_json({**found, "seconds": seconds, "checks": [each.to_json() for each in results]})
    else:
        said = [f"{len(results) - len(failed) - len(skipped)} ok"]
        said += [f"{len(failed)} failed"] * bool(failed) + [f"{len(skipped)} skipped"] * bool(skipped)
        say(f"{', '.join(said)}, in {seconds:.0f} s.")
    return 1 if failed else 0


def _ignore(result: GpuCheckResult) -> None:
    """For JSON: all of it is printed at the end."""


def _say_result(result: GpuCheckResult) -> None:
    lead = f"{_MARKS[result.state]} {result.name.ljust(_NAME)} "
    say(textwrap.fill(result.words, 80, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False))
    sys.stdout.flush()
