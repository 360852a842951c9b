"""Queued runs: prepared now, with the data as it is now, and started by the queue."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core import timestamps
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.gpu.nvml import read_gpus
from core.gpu.selection import visible_gpus, visible_here
from core.jobs import queue_runner
from core.jobs.folder import JobFolder
from core.jobs.launch import enqueue
from core.jobs.queue import Queue, QueuedRun
from core.jobs.queue_rules import CPU
from core.jobs.queue_runner import entry_of, had_its_turn, update_waiting_runs
from core.jobs.state import standing
from core.jobs.trust import NotAgreed, refusal, start_ask
from core.recipe.devices import devices_of, run_devices
from core.recipe.recipe import Recipe
from core.runs.checkpoint import FROM_THE_START, QUICKLY, last_good
from core.runs.commands import commands_of
from core.runs.start import prepare_run

RUNNER = "core.runs.run_queue"
"""The module of the queue's runner."""


@dataclass(frozen=True, slots=True)
class Wish:
    """When a queued run may start, in addition to its place.

    Attributes:
        free_gib: memory that must be free on its GPU, in GiB; 0 for any.
        not_before: unix seconds; 0 for at once.
    """

    free_gib: float = 0.0
    not_before: float = 0.0


def queue_run(
    recipe: Recipe,
    workspace: Path,
    wish: Wish | None = None,
    *,
    base: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    view_of: Callable[[Recipe], CuratedView] | None = None,
    pure_bf16: bool = False,
) -> JobFolder:
    """Prepares a run, puts it at the end of the queue, and sees to it that somebody starts it.

    Args:
        recipe: what to train.
        workspace: where `runs/` and the queue lie.
        wish: when it may start.
        base: the folder that relative paths in the recipe are taken from; by default the workspace.
        on_progress: see `core.runs.start.prepare_run`.
        should_stop: likewise.
        view_of: likewise.
        pure_bf16: likewise.

    Raises:
        BadInput: as at a start; or it is to wait for GPU memory that cannot be read.
        NotAgreed: as at a start.
        NotConfirmed: as at a start.
        JobFailed: the queue's runner did not start; the run is queued nevertheless.
    """
    wish = wish or Wish()
    if wish.free_gib:
        check_memory(recipe, wish.free_gib)
    Queue(workspace).read()  # one that cannot be read takes no run: said before there is one
    run = prepare_run(
        recipe,
        workspace,
        base=base,
        on_progress=on_progress,
        should_stop=should_stop,
        view_of=view_of,
        pure_bf16=pure_bf16,
        later=True,
    )
    enqueue(run.folder, run.stages, env=run.environment)
    entry = entry_of(
        run.folder, device_set_of(run.recipe), free_bytes=int(wish.free_gib * 2**30), not_before=wish.not_before
    )
    Queue(workspace).add(entry)
    ensure_runner(workspace)
    update_waiting_runs(workspace)
    return run.folder


def device_set_of(recipe: Recipe) -> tuple[str, ...]:
    """The devices that a recipe names; empty where it leaves that open."""
    devices = devices_of(recipe)
    return (CPU,) if devices.cpu else devices.names


def ensure_runner(workspace: Path) -> bool:
    """Starts the queue's runner where one is needed, see `core.jobs.queue_runner.ensure_runner`."""
    return queue_runner.ensure_runner(workspace, RUNNER)


def refuse_unknown(workspace: Path) -> None:
    """Refuses the queue of a workspace in which no run could be started.

    Raises:
        NotAgreed: the workspace needs the user's yes first.
    """
    if (ask := start_ask(workspace)) is not None:
        raise NotAgreed([ask])


def pick_up(workspace: Path) -> list[str]:
    """Resumes the queue if nobody runs it: after a reboot, or after its runner was killed.

    Queued runs that the reboot has ended come first again: from the last complete checkpoint, else the beginning.

    Returns:
        A sentence on each run that was put back, and on each queued run of another user.

    Raises:
        NotAgreed: something is in the queue of a workspace that this user has not agreed to.
        JobFailed: the runner did not start.
    """
    queue = Queue(workspace)
    said: list[str] = []
    if not queue.read().entries:
        return said
    refuse_unknown(workspace)
    with queue.locked() as now:
        left = [entry for entry in now.entries if not had_its_turn(queue.folder(entry))]
        foreign = {entry.id: error for entry in left if (error := refusal(queue.folder(entry))) is not None}
        back = [entry for entry in left if entry.id not in foreign and standing(queue.folder(entry)).rebooted]
        said += map(str, foreign.values())
        for entry in back:
            said.append(_put_back(queue.folder(entry)))
        if back or len(left) < len(now.entries):  # the runner is gone before the last run has ended
            rest = tuple(entry for entry in left if entry not in back)
            queue.write(replace(now, entries=(*back, *rest)))
    ensure_runner(workspace)
    return said


def _put_back(folder: JobFolder) -> str:
    job = folder.read_job()
    payload = dict(job.get("payload") or {})
    checkpoint, _ = last_good(folder.checkpoints, QUICKLY)
    payload["resume"] = FROM_THE_START if checkpoint is None else checkpoint.path.name
    where = "from the beginning" if checkpoint is None else f"from step {checkpoint.step:,}"
    words = f"The machine was restarted while this run was active. The queue resumes it {where}."
    stages, environment = commands_of(folder)
    enqueue(folder, stages, env=environment, payload=payload)
    folder.append_event("alert", words)
    return f"{folder.id}: {words}"


def waiting_runs(workspace: Path) -> list[tuple[QueuedRun, str]]:
    """The runs that wait, in order, each with a sentence on what it waits for."""
    queue = Queue(workspace)
    return [(entry, queue.folder(entry).read_status().message) for entry in queue.waiting(queue.read())]


def parse_time(text: str, now: float | None = None) -> float:
    """The moment that a person means by `23:30` (the next one) or `2026-11-22 23:30`, in unix seconds.

    Raises:
        BadInput: it is not a time, or in the past.
    """
    now = time.time() if now is None else now
    wanted = text.strip().replace("T", " ")
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})", wanted)
    try:
        if clock:
            today = timestamps.local_time(now)
            assert today is not None, "the time of day is known"
            parts = (*today[:3], int(clock[1]), int(clock[2]), 0, 0, 0, -1)
            time.strptime(wanted, "%H:%M")
            moment = time.mktime(parts)
            if moment <= now:  # tomorrow, by the calendar: a day may have 23 hours
                moment = time.mktime((parts[0], parts[1], parts[2] + 1, *parts[3:]))
            return moment
        moment = time.mktime(time.strptime(wanted, "%Y-%m-%d %H:%M"))
    except (ValueError, OverflowError):
        raise BadInput("Not a time", where=text, do="Write 23:30, or 2026-11-22 23:30") from None
    if moment <= now:
        raise BadInput("This time is in the past", where=text, do="Choose a later time")
    return moment


def check_memory(recipe: Recipe, free_gib: float) -> None:
    """Refuses to wait for GPU memory that no GPU of the recipe has, or that cannot be read.

    Raises:
        BadInput: why.
    """
    if not free_gib >= 0:  # also what is no number
        raise BadInput("Free memory must be 0 GiB or more", where=f"{free_gib:g}")
    machine = read_gpus()
    where = run_devices(recipe, machine.gpus)
    if where.cpu or not machine.gpus:
        words = where.note or machine.problem or "the run trains on the CPU"
        raise BadInput(f"Cannot wait for free GPU memory: {words.rstrip('.')}", where="--free-gib")
    mine = where.gpus if devices_of(recipe).names else visible_gpus(machine.gpus, visible_here()).gpus
    largest = max(((gpu.memory_total or 0) for gpu in mine), default=0) / 2**30
    if largest and free_gib > largest:
        raise BadInput(f"No GPU here has {free_gib:g} GiB; the largest has {largest:.1f} GiB", where="--free-gib")
