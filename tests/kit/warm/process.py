"""Starts and ends the warm process; `tests/conftest.py` makes the fixtures `warm_python` and `warm` of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class WarmPython:
    """A running warm process.

    Attributes:
        path: an executable to use as the python interpreter of keepers and workers.
        environment: the variables that make `core.jobs.launch` use it; for `monkeypatch.setenv` or a subprocess.
    """

    path: str
    environment: dict[str, str]


@contextmanager
def warm_python() -> Iterator[WarmPython]:
    """The warm process, from the end of its imports (some 10 s) until the block is left."""
    folder = tempfile.mkdtemp(prefix="warm-")  # short: the path of a socket has at most 107 characters
    environment = {
        "TUNEDECK_WARM_SOCKET": f"{folder}/socket",
        "TUNEDECK_WARM_PYTHON": sys.executable,
        "TUNEDECK_PYTHON": f"{folder}/python",
        "TUNEDECK_KEEPER_PYTHON": f"{folder}/python",
    }
    shim = Path(folder, "python")
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E -P "{HERE / "shim.py"}" "$@"\n')
    shim.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-P", os.fspath(HERE / "zygote.py"), f"{folder}/socket"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the warm process did not start; its error is above"
        yield WarmPython(os.fspath(shim), environment)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)
        shutil.rmtree(folder)


@contextmanager
def shared_warm_python(folder: Path) -> Iterator[WarmPython]:
    """One warm process for all that ask with the same folder: the first starts it, and ends it after the last.

    Args:
        folder: an existing one that all of them know.
    """
    with (folder / "warm.lock").open("a") as starting, (folder / "warm.users").open("a") as users:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        known = folder / "warm.json"
        if known.exists():
            fcntl.flock(starting, fcntl.LOCK_UN)
            environment = json.loads(known.read_text())
            yield WarmPython(environment["TUNEDECK_PYTHON"], environment)
            return
        with warm_python() as warm:
            known.write_text(json.dumps(warm.environment))
            fcntl.flock(starting, fcntl.LOCK_UN)
            yield warm
            fcntl.flock(starting, fcntl.LOCK_EX)  # who comes now starts another
            fcntl.flock(users, fcntl.LOCK_EX)  # until all others have let go of it
            known.unlink()
