"""Whether the torch that trains really reaches its GPU: it is asked, in a process of its own.

A wheel without CUDA and a driver that is too old are known from files (`core.recipe.worker_packages`). All else, such
as a missing library, a GPU that the wheel has no kernels for, or a device that the container does not pass on, only
torch itself can tell, and importing it takes seconds: a yes is kept for interpreter, torch, driver and device.
Not tested on a GPU yet.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import TunedeckError
from core.gpu.nvml import DriverVersion
from core.gpu.selection import VARIABLE
from core.jobs import files
from core.jobs.launch import clean_environment, worker_python
from core.paths import cache_dir
from core.recipe.worker_packages import TorchBuild

PATIENCE = 120.0
"""Seconds that the interpreter may take to import torch, from a slow disk."""

ASK_AGAIN = 60.0
"""Seconds for which a no counts: a device may come back, or another program may let go of it."""

_PROBE = """
import json
found = {"version": "", "count": 0, "name": "", "capability": None, "memory": None, "error": ""}
try:
    import torch
    found["version"] = str(torch.__version__)
    found["count"] = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not found["count"]:
        torch.cuda.init()
    try:
        torch.zeros(8, device="cuda").add_(1).sum().item()  # a kernel must run: a wheel may have none for this GPU
    except Exception as error:
        from core.engine.short_memory import short_of
        if not short_of(error):
            raise  # else it is full, not out of reach
    found["name"] = torch.cuda.get_device_name(0)
    found["capability"] = list(torch.cuda.get_device_capability(0))
    found["memory"] = torch.cuda.get_device_properties(0).total_memory
except BaseException as error:
    lines = str(error).strip().splitlines()
    found["error"] = (lines[0] if lines else type(error).__name__).rstrip(".")
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class TorchReach:
    """What torch said.

    Attributes:
        count: GPUs that it can use.
        name: of the first.
        capability: of the first; None where it does not tell.
        memory: bytes of the first in all; None likewise.
        error: why it cannot use any, without a period; "" where it can.
    """

    count: int
    name: str = ""
    capability: tuple[int, int] | None = None
    memory: int | None = None
    error: str = ""


class ReachProbe:
    """Asks the worker's interpreter, once for each combination of interpreter, torch, driver and devices."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, TorchReach | None]] = {}
        self._asking: set[str] = set()
        self._lock = threading.Lock()

    def ask(self, build: TorchBuild, driver: DriverVersion | None, visible: str | None) -> TorchReach | None:
        """What torch says; blocks for the seconds that importing it takes, unless that is known already.

        Args:
            build: the torch that trains.
            driver: NVIDIA's, None where there is none or it does not tell.
            visible: the `CUDA_VISIBLE_DEVICES` of the run; None leaves that of the environment.

        Returns:
            The answer; None where the interpreter gave none, so that only the run itself can tell.
        """
        key = _key(build, driver, visible)
        with self._lock:
            if (answer := self._answer(key)) is not None:
                return answer[0]
        found = _kept(key)
        if found is None:
            found = _asked(visible)
            if found is not None and not found.error:
                _keep(key, found)
        with self._lock:
            self._answers[key] = (time.monotonic(), found)
            self._asking.discard(key)
        return found

    def known(
        self, build: TorchBuild, driver: DriverVersion | None, visible: str | None
    ) -> tuple[bool, TorchReach | None]:
        """As `ask`, without waiting: whether there is an answer, and which. Where there is none, it is being asked."""
        key = _key(build, driver, visible)
        kept = _kept(key)
        with self._lock:
            if kept is not None:
                self._answers[key] = (time.monotonic(), kept)
            if (answer := self._answer(key)) is not None:
                return True, answer[0]
            if key in self._asking:
                return False, None
            self._asking.add(key)
        threading.Thread(target=self.ask, args=(build, driver, visible), name="torch-reach", daemon=True).start()
        return False, None

    @property
    def asking(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._asking)

    def _answer(self, key: str) -> tuple[TorchReach | None] | None:
        """The answer that counts now, in a tuple; None where there is none."""
        at, found = self._answers.get(key, (0.0, None))
        old = found is None or bool(found.error)
        if key not in self._answers or (old and time.monotonic() - at > ASK_AGAIN):
            return None
        return (found,)


PROBE = ReachProbe()
"""That of this process."""


def _key(build: TorchBuild, driver: DriverVersion | None, visible: str | None) -> str:
    import hashlib  # OpenSSL: only where there is a GPU

    said = [worker_python(), build.version, build.gpu, "" if driver is None else driver.version, visible]
    said += [os.environ.get(name) for name in (VARIABLE, "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _file(key: str) -> Path:
    return cache_dir() / "torch-reach" / f"{key}.json"


def _kept(key: str) -> TorchReach | None:
    found = files.read_json(os.fspath(_file(key)))
    return None if found is None else _reach(found)


def _keep(key: str, found: TorchReach) -> None:
    try:
        _file(key).parent.mkdir(parents=True, exist_ok=True)
        files.replace(os.fspath(_file(key)), files.encode(asdict(found)), durable=False)
    except (OSError, TunedeckError):
        pass  # it is asked again the next time


def _asked(visible: str | None) -> TorchReach | None:
    try:
        done = subprocess.run(
            [worker_python(), "-c", _PROBE],
            env=clean_environment({} if visible is None else {VARIABLE: visible}),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
            cwd="/",
        )
        lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
        if not lines:
            ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
            return TorchReach(0, error=f"importing torch ended with {ended}")
        return _reach(json.loads(lines[-1]))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _reach(said: Any) -> TorchReach | None:
    try:
        pair, memory = said["capability"], said["memory"]
        return TorchReach(
            int(said["count"]),
            str(said["name"]),
            None if pair is None else (int(pair[0]), int(pair[1])),
            None if memory is None else int(memory),
            str(said["error"]),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
