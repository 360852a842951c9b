"""What is installed in the interpreter that trains, without importing any of it.

That may be another environment than the viewer's (`TUNEDECK_PYTHON`); it is then asked in a process of its own, once.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path

from core.clean import clean_line
from core.gpu.nvml import DriverVersion
from core.jobs.launch import worker_python
from core.recipe.python_source import tree_of

_PATIENCE = 20.0
_INSTALLED = (
    "import json, sys; from importlib import util; print(json.dumps([bool(util.find_spec(n)) for n in sys.argv[1:]]))"
)
_TORCH = "import json; from importlib import util; s = util.find_spec('torch'); print(json.dumps(s and s.origin))"


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """A torch as it was built.

    Attributes:
        version: such as `2.13.0+cpu`.
        gpu: the version of CUDA or ROCm that it was built with; "" for a build that only knows the CPU.
        rocm: whether that is ROCm, so that NVIDIA's driver and library say nothing about its GPUs.
    """

    version: str
    gpu: str
    rocm: bool = False

    def unable(self, gpus: Sequence[str], driver: DriverVersion | None = None) -> str:
        """Why this build cannot use these GPUs of NVIDIA's, without a period; "" if it may be able to.

        Args:
            gpus: their names, `GPU 0`.
            driver: NVIDIA's, None where it does not say its version.
        """
        if not gpus:
            return ""
        version, there = clean_line(self.version, 40), ", ".join(gpus)
        if not self.gpu:
            return f"torch {version} is built without CUDA and cannot use {there}"
        if self.rocm:
            return f"torch {version} is built for ROCm (AMD) and cannot use {there}"
        built = self.cuda
        if driver is None or built is None or built[0] <= driver.cuda[0]:
            return ""  # within one major number of CUDA, every build runs on every driver
        known = f"{driver.cuda[0]}.{driver.cuda[1]}"
        return (
            f"torch {version} is built for CUDA {self.gpu}, but NVIDIA driver {clean_line(driver.version, 40)} "
            f"supports only CUDA {known}, so it cannot use {there}"
        )

    @property
    def cuda(self) -> tuple[int, int] | None:
        """The CUDA it was built with, major and minor; None for another build."""
        found = None if self.rocm else re.match(r"(\d+)\.(\d+)", self.gpu)
        return (int(found[1]), int(found[2])) if found else None


def installed(packages: Sequence[str]) -> list[bool]:
    """Whether each package is there; an interpreter that does not answer is assumed to have all of them."""
    return _installed(worker_python(), tuple(packages))


def torch_build() -> TorchBuild | None:
    """The torch that trains, read off its `version.py`; None where there is none, or it cannot be read."""
    return _torch_build(worker_python())


@cache
def _installed(python: str, packages: Sequence[str]) -> list[bool]:
    if python == sys.executable:
        return [util.find_spec(name) is not None for name in packages]
    answer = ask_python(python, _INSTALLED, *packages)
    return [bool(found) for found in answer] if isinstance(answer, list) else [True] * len(packages)


@cache
def _torch_build(python: str) -> TorchBuild | None:
    spec = util.find_spec("torch") if python == sys.executable else None
    origin = ask_python(python, _TORCH) if python != sys.executable else spec and spec.origin
    if not isinstance(origin, str):
        return None
    try:
        said = _constants(Path(origin).with_name("version.py").read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    if "cuda" not in said:
        return None
    version, cuda, hip = str(said.get("__version__", "")), said["cuda"], said.get("hip")
    return TorchBuild(version, str(cuda or hip or ""), rocm=bool(hip) and not cuda)


def _constants(source: str) -> dict[str, object]:
    """The names that a module gives constants to."""
    found: dict[str, object] = {}
    for node in tree_of(source).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node.value.value for target in targets if isinstance(target, ast.Name)}
    return found


def ask_python(python: str, script: str, *arguments: str) -> object:
    """What a few lines print as JSON in another interpreter; None where it does not answer.

    Args:
        python: the interpreter.
        script: Python source; `sys.argv[1:]` are the arguments.
        arguments: strings.
    """
    try:
        asked = subprocess.run(
            [python, "-c", script, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=True,
            cwd="/",
        )
        answer: object = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # the run says what is wrong with this interpreter
    return answer
