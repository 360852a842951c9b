"""A module of ours started in a new session: a process that goes into the background by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.jobs.children import KEEPER_PYTHON
from core.jobs.files import FILE_MODE


def detach(
    module: str,
    arguments: Sequence[str | os.PathLike[str]],
    log: str | Path,
    environment: Mapping[str, str],
    *,
    patience: float,
    python: str | None = None,
) -> int:
    """Starts `python -m MODULE ARGUMENTS...` and waits until it has gone into the background.

    Args:
        module: a module of `core`.
        arguments: for it.
        log: takes what it writes; never a pipe, which would end with this process.
        environment: all of it.
        patience: seconds to wait.
        python: the interpreter; None for `TUNEDECK_KEEPER_PYTHON`, or else this one.

    Returns:
        The exit code of the process that was started, which is only the parent of the one that stays.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it did not go into the background in time.
    """
    interpreter = python or os.environ.get(KEEPER_PYTHON) or sys.executable
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(log, flags, FILE_MODE), "ab") as output:
        return subprocess.run(
            [interpreter, "-m", module, *(os.fspath(one) for one in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
            timeout=patience,
            check=False,
        ).returncode
