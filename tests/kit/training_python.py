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


def python_with_torch(
    folder: Path, version: str = "2.13.0+cu130", *, cuda: str | None = "13.0", hip: str | None = None
) -> str:
    """An interpreter that finds such a torch first; importing it ends the process.

    Args:
        folder: an existing one, for the interpreter and its torch.
        version: as torch tells it.
        cuda: what it was built with.
        hip: likewise, for AMD.
    """
    torch = folder / "packages" / "torch"
    torch.mkdir(parents=True)
    (torch / "__init__.py").write_text("raise SystemExit('it is only looked for')")
    (torch / "version.py").write_text(VERSION.format(version=version, cuda=cuda, hip=hip))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{torch.parent}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)
