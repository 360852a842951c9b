"""Starts the ranks of a run by torchrun's own agent: `python -m core.engine.torchrun RANKS -m MODULE FOLDER`.

The keeper runs this as it runs a worker. What it adds to torchrun: the exit code of a run that was stopped on request,
a sentence on which rank ended how, and SIGTERM or SIGINT is a request to stop and save, a second one to stop now.

Several machines: TUNEDECK_NODES says how many, TUNEDECK_RENDEZVOUS is `host:port` of one of them, TUNEDECK_JOB any name
that is theirs alone. The script that `tunedeck train --print-slurm` prints sets these.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from core.errors import TunedeckError
from core.jobs import ending, requests
from core.jobs.ending import EXIT_AGAIN, EXIT_STOPPED
from core.jobs.folder import JobFolder
from core.jobs.status import FAILED
from core.jobs.titles import title_of

AGAIN = "TUNEDECK_AGAIN"
"""A variable, set for ranks that are started again; they resume from the last checkpoint, or else start over."""
GRACE = 5
"""Seconds that the other ranks have after one of them has ended, before they get SIGKILL."""

RankCommand = tuple[Callable[..., None] | str, tuple[str, ...], str]
"""What a rank runs: a function or a program, its arguments, and how it is started (`spawn`, `fork`)."""


def python_entry(module: str, folder: str) -> RankCommand:
    """A fresh interpreter for each rank."""
    return sys.executable, ("-u", "-m", module, folder), "spawn"


def main(argv: Sequence[str], entry: Callable[[str, str], RankCommand] = python_entry) -> int:
    """Runs all ranks of this machine to their end.

    Args:
        argv: how many, `-m`, the module, the job's folder.
        entry: what each rank runs.

    Returns:
        0 finished, 1 failed, 3 stopped on request.
    """
    count, flag, module, path = argv
    assert flag == "-m", argv
    folder = JobFolder(path)
    folder.hold()
    terminations: list[str] = []

    def on_termination(number: int, frame: FrameType | None) -> None:
        terminations.append(requests.STOP if not terminations else requests.STOP_NOW)
        try:
            requests.ask(folder, terminations[-1])
        except TunedeckError as error:
            print(error, file=sys.stderr, flush=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_termination)
    kills = ending.oom_kills()
    while True:
        failed = _run(int(count), entry(module, os.fspath(folder.path)))
        codes = set(failed.values())
        if not failed:
            return 0
        if EXIT_AGAIN not in codes:
            break
        os.environ[AGAIN] = "1"
        folder.read_status()  # it may have been moved meanwhile
    if EXIT_STOPPED in codes:
        return EXIT_STOPPED
    _explain(folder, failed, title_of(["-m", module]), ending.oom_kills() - kills)
    return 1


def _run(count: int, entry: RankCommand) -> Mapping[int, int]:
    """The ranks that failed, with their exit codes (minus the signal where one ended them)."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    nodes = int(os.environ.get("TUNEDECK_NODES", "1"))
    program, arguments, method = entry
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=count,
        run_id=os.environ.get("TUNEDECK_JOB") or f"tunedeck-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint=os.environ.get("TUNEDECK_RENDEZVOUS") or "localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
        start_method=method,
        signals_to_handle="SIGQUIT",
        shutdown_timeout=GRACE,
    )
    try:
        elastic_launch(config, program)(*arguments)
    except ChildFailedError as error:
        failures: Mapping[int, Any] = error.failures
        return {rank: failure.exitcode for rank, failure in failures.items()}
    return {}


def _explain(folder: JobFolder, failed: Mapping[int, int], stage: str, oom_kills: int) -> None:
    """A rank that raised has said why itself; one that was killed could not."""
    killed = [(rank, -code) for rank, code in failed.items() if code < 0]
    if not killed:
        return
    rank, number = killed[0]
    words = ending.signal_words(number, f"{stage} (rank {rank})", oom_kills)
    print(words, file=sys.stderr, flush=True)
    try:
        folder.write_status(state=FAILED, message=words)
    except TunedeckError as error:
        print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
