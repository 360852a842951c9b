"""The queue as the Runs screen shows and changes it; for threads, since a workspace may lie on a slow disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import BadInput, TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.queue import Queue
from core.verdict.run_list import RunLine

PAUSED = "Queue paused: no queued run starts until you press h again. Active runs are not affected."
RESUMED = "Queue resumed."


def any_waits(runs: Sequence[RunLine]) -> bool:
    """Whether a run waits in the queue."""
    return any(run.info.state == "queued" for run in runs)


def queue_paused(workspace: Path) -> bool:
    """Whether the queue is paused."""
    try:
        return Queue(workspace).read().paused
    except BadInput:
        return False


def release_run(queue: Queue, run: JobFolder) -> None:
    """Let a queued run of a pipeline start without waiting for the one before it.

    Raises:
        BadInput: there is nothing that it could start from.
    """
    from core.runs.pipeline_queue import release

    release(queue.workspace, run)


def change_queue(workspace: Path, change: Callable[[Queue], object] | None) -> str:
    """Change the queue, make sure that its runner works, and write each run's new place.

    Args:
        workspace: where the queue lies.
        change: what to change; None only resumes what a reboot has left.

    Returns:
        A sentence on what went wrong, or "".
    """
    try:
        if change is None and not Queue(workspace).read().entries:
            return ""
        from core.jobs.queue_runner import update_waiting_runs
        from core.runs.queueing import pick_up, refuse_unknown

        refuse_unknown(workspace)
        if change is not None:
            change(Queue(workspace))
        pick_up(workspace)
        update_waiting_runs(workspace)
    except TunedeckError as error:
        return str(error)
    return ""
