"""What jobs without a worker of the engine have in common: how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from core.errors import BadInput, TunedeckError
from core.jobs import files, requests
from core.jobs.folder import JobFolder

_BAD_INPUT, _STOPPED = 2, 3


def end_of(
    argv: Sequence[str],
    module: str,
    run: Callable[[JobFolder, dict[str, Any]], None],
    *,
    stopped: type[Exception],
    words: str,
) -> int:
    """Runs a job on its folder and turns the way it ends into an exit code.

    Args:
        argv: the job's folder.
        module: the job's, for the usage.
        run: does the work; gets the folder and the payload of `job.json`.
        stopped: what `run` raises when a viewer asked it to stop.
        words: the answer to that request.

    Returns:
        0 done, 1 failed, 2 the input cannot be used, 3 stopped on request.
    """
    if len(argv) != 1:
        raise SystemExit(f"usage: python -m {module} FOLDER")
    folder = JobFolder(argv[0])
    try:
        run(folder, folder.read_job().get("payload") or {})
    except stopped:
        for name in requests.pending(folder):
            requests.done(folder, name, words)
        return _STOPPED
    except files.JobGone as fault:
        print(fault, file=sys.stderr)
        return 1
    except TunedeckError as fault:
        folder.write_status(state="failed", message=str(fault))
        return _BAD_INPUT if isinstance(fault, BadInput) else 1
    return 0
