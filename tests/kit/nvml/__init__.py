"""A stand-in for NVIDIA's NVML library: the real pynvml runs on it, and reads what a text file says.

A line of the file is `WHO KEY VALUE`. WHO is `driver` or a device's number (slice K of device N is 100*(N+1)+K).
Keys of the driver: `gpus` (how many), `version`, `cuda` (12040 is 12.4), `error` (the NVML code that its calls
return). Keys of a device: `uuid`, `name`,
`memory` and `old_memory` (total used), `utilization`, `temperature`, `power` and `limit` (mW), `throttle` and
`old_throttle` (bits), `capability` (`8 0`), `process` (pid bytes; a line for each), `untold` (no processes are told at
all), `mig`, `slices`, `error`. What is missing is "not supported".
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).with_name("standin.c")


def compiler() -> list[str] | None:
    """The command of a C compiler: the system's, or that of the package ziglang; None where there is neither."""
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def build(folder: Path, cc: Sequence[str]) -> Path:
    """Compiles the library into a folder; returns the folder, for LD_LIBRARY_PATH."""
    target = folder / "libnvidia-ml.so.1"
    subprocess.run([*cc, "-shared", "-fPIC", "-O1", "-o", os.fspath(target), os.fspath(SOURCE)], check=True)
    return folder


def environment(library: Path, readings: Path) -> dict[str, str]:
    """The variables under which a process finds the stand-in instead of a driver."""
    return {"LD_LIBRARY_PATH": os.fspath(library), "NVML_STANDIN": os.fspath(readings)}
