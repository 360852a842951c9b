"""Interpreters for `TUNEDECK_PYTHON` whose torch was built in another way than the one that the tests run on."""

from __future__ import annotations

import sys
from pathlib import Path

VERSION = """from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'rocm', 'xpu']
__version__ = '{version}'
debug = False
cuda: Optional[str] = {cuda!r}
git_version = 'cf30153c4c131c8164ee7798e5022d810682e2cb'
hip: Optional[str] = {hip!r}
rocm: Optional[str] = None
xpu: Optional[str] = None
"""
"""`torch/version.py` as the wheels of torch 2.13 have it."""


ANSWERS = """import os

__version__ = {version!r}
ERROR = {error!r}
with open({asked!r}, 'a') as file:
    file.write(os.environ.get('CUDA_VISIBLE_DEVICES', 'unset') + '\\n')


class OutOfMemoryError(RuntimeError):
    pass


class _Memory:
    total_memory = 64 * 2**30


class cuda:
    is_available = staticmethod(lambda: not ERROR)
    device_count = staticmethod(lambda: len(os.environ.get('CUDA_VISIBLE_DEVICES', '0').split(',')))
    get_device_name = staticmethod(lambda number: 'A real card')
    get_device_capability = staticmethod(lambda number: {capability!r})
    get_device_properties = staticmethod(lambda number: _Memory)

    @staticmethod
    def init():
        raise RuntimeError(ERROR)


class zeros:
    def __init__(self, *sizes, **names):
        pass

    def add_(self, value):
        return self

    sum = item = lambda self: self
"""
"""A torch that answers what it is asked of its GPU, and writes down for which devices it was asked."""


def python_with_torch(
    folder: Path,
    version: str = "2.13.0+cu130",
    *,
    cuda: str | None = "13.0",
    hip: str | None = None,
    error: str = "",
    capability: tuple[int, int] = (8, 0),
) -> str:
    """An interpreter that finds such a torch first; one without a GPU ends the process that imports it.

    Args:
        folder: an existing one, for the interpreter and its torch.
        version: as torch tells it.
        cuda: what it was built with.
        hip: likewise, for AMD.
        error: why it cannot use a GPU, as CUDA says it; "" where it can.
        capability: of the GPU.
    """
    torch = folder / "packages" / "torch"
    torch.mkdir(parents=True)
    answers = ANSWERS.format(version=version, error=error, capability=capability, asked=str(folder / "asked"))
    (torch / "__init__.py").write_text(answers if cuda or hip else "raise SystemExit('it is only looked for')")
    (torch / "version.py").write_text(VERSION.format(version=version, cuda=cuda, hip=hip))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{torch.parent}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)
