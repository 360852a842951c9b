"""The process that starts queued runs: detached like a keeper, and gone when nothing waits any more.

`main` puts itself into the background. It owns nothing that the runs need: when it is killed they keep running, and
the next `tunedeck` that looks at the queue starts another. How a run is started comes from whoever makes the runner
(`core.runs.run_queue`), never from the run's folder. Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import BadInput, JobFailed, TunedeckError
from core.gpu.nvml import GpuReader
from core.gpu.readings import GpuSample
from core.gpu.selection import VARIABLE, visible_here
from core.jobs import files, process
from core.jobs.access import owner_id
from core.jobs.detach import detach
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, launch
from core.jobs.output import enduring_output
from core.jobs.queue import Queue, QueuedRun, QueueFile
from core.jobs.queue_rules import CPU, Turn, decide, device_set
from core.jobs.runs import run_info
from core.jobs.state import standing
from core.jobs.status import FAILED, LOST, QUEUED
from core.jobs.takeover import notify_unseen_ends
from core.jobs.trust import refusal
from core.paths import runs_dir

TICK = 0.5
"""Seconds between two looks."""
HANDOVER = 3.0
"""Seconds that a runner which has said that it ends may take to be gone."""

Commands = Callable[[JobFolder], tuple[list[list[str]], dict[str, str]]]
"""Makes the stages and the environment of a queued run, see `core.jobs.launch.launch`; BadInput where it cannot."""


class Runner:
    """Starts what may start, and writes for the others what they wait for. Runs of other users are left alone.

    Args:
        queue: the workspace's queue.
        commands: for what may start; without them nothing is started, and only what runs wait for is written.
    """

    def __init__(self, queue: Queue, commands: Commands | None = None) -> None:
        self._queue = queue
        self._commands = commands
        self._gpus = GpuReader()
        self._gpus.open()
        self._ended: dict[str, int] = {}
        self._notified: set[str] = set()

    def step(self) -> bool:
        """One look at the queue.

        Returns:
            Whether there is anything left to do.
        """
        due: list[Turn] = []
        gpus = self._gpus.read()  # before the lock: a driver may hang
        with self._queue.locked() as now:
            kept = tuple(entry for entry in now.entries if not had_its_turn(self._queue.folder(entry)))
            if kept != now.entries:
                now = replace(now, entries=kept)
                self._queue.write(now)
            own = {entry.id: entry for entry in waiting_here(self._queue, now)}
            for place, turn in enumerate(self._turns(now, gpus, own), 1):
                if turn.entry.id not in own:
                    continue  # another user's runner starts it, and decides the same about it
                if turn.devices is None or self._commands is None:
                    self._write_waiting(turn, place)
                else:
                    due.append(turn)
            if not own or now.paused:
                if self._commands is not None:
                    self._queue.write(replace(now, runner=None))
                return False
        for turn in due:  # without the lock: a start takes a moment, and its own lock keeps others off the run
            assert self._commands is not None, "only a runner that starts runs has some that are due"
            self._start(turn, self._commands, gpus)
        return True

    def _turns(self, now: QueueFile, gpus: Sequence[GpuSample], own: Mapping[str, QueuedRun]) -> list[Turn]:
        """What is decided about this user's runs, and about those that the runner of another user starts."""
        others = {uid for uid, runner in now.others.items() if process.is_alive(runner)}
        waiting = list(own.values())
        if others:
            queue = self._queue
            waiting = [e for e in queue.waiting(now) if e.id in own or owner_id(queue.folder(e).path) in others]
        busy = self._busy(gpus) if own else {}
        problem, before = self._gpus.problem, self._before(waiting)
        return decide(waiting, busy, gpus, now=time.time(), paused=now.paused, gpu_problem=problem, before=before)

    def _before(self, waiting: Sequence[QueuedRun]) -> dict[str, str]:
        """The states of the runs that some of these come after; what a reboot has ended is put back, so not lost."""
        found = {}
        for name in {entry.after for entry in waiting if entry.after}:
            folder = JobFolder(runs_dir(self._queue.workspace) / name)
            if folder.exists():
                now = standing(folder)
                found[name] = QUEUED if now.state == LOST and now.rebooted else now.state
        return found

    def _write_waiting(self, turn: Turn, place: int) -> None:
        folder = self._queue.folder(turn.entry)
        waits = turn.waits or "about to start"
        words = f"Number {place} in the queue: {waits}."
        status = folder.read_status()
        if status.message == words and status.fields.get("place") == place:
            return
        try:
            folder.write_status(state=QUEUED, message=words, place=place)
        except TunedeckError as error:
            print(error, file=sys.stderr, flush=True)

    def _start(self, turn: Turn, commands: Commands, gpus: Sequence[GpuSample]) -> None:
        folder = self._queue.folder(turn.entry)
        try:
            stages, env = commands(folder)
        except BadInput as error:
            self._fail(folder, str(error))
            return
        if not turn.entry.devices and turn.devices is not None:
            if turn.devices != (CPU,):
                env[VARIABLE] = ",".join(turn.devices)
            elif gpus and turn.entry.visible is not None:  # it hides them all, whatever this process sees
                env[VARIABLE] = turn.entry.visible
        try:
            launch(folder, stages, env=env, waits=True)
        except files.DiskFull as error:
            why = f"{error.what[0].lower()}{error.what[1:]}"
            self._write_waiting(replace(turn, waits=f"waiting for disk space ({why})"), 1)
        except (BadInput, JobFailed, files.JobGone) as error:  # the run shows it too; the others are not affected
            print(f"{folder.id}: {error}", file=sys.stderr, flush=True)

    def _fail(self, folder: JobFolder, words: str) -> None:
        """A run that nothing can start has had its turn."""
        try:
            folder.write_status(state=FAILED, message=words, ended=time.time())
        except TunedeckError as error:
            print(error, file=sys.stderr, flush=True)

    def _busy(self, gpus: Sequence[GpuSample]) -> dict[str, str]:
        """Device -> the active run of this workspace on it, started by the queue or by hand."""
        busy: dict[str, str] = {}
        for path, changed in _statuses(runs_dir(self._queue.workspace)):
            if self._ended.get(path) == changed:
                continue
            folder = JobFolder(path)
            status = folder.read_status()
            if status.over:
                self._ended[path] = changed
                continue
            job = files.read_json(os.fspath(folder.job))
            if job is None or status.state == QUEUED or job.get("host") != os.uname().nodename:
                continue
            if standing(folder, job=job).over:
                if path not in self._notified:
                    self._notified.add(path)
                    notify_unseen_ends([run_info(folder)])
            else:
                env: Mapping[str, str] = job.get("env") or {}
                for name in device_set(env.get(VARIABLE), gpus):
                    busy.setdefault(name, folder.id)
        return busy

    def close(self) -> None:
        """Gives the driver's library back."""
        self._gpus.close()


def _statuses(runs: Path) -> list[tuple[str, int]]:
    """The folders of all runs, each with the moment at which its status was last replaced."""
    found = []
    try:
        names = os.listdir(runs)
    except OSError:
        return []
    for name in names:
        try:
            found.append((f"{runs}/{name}", os.stat(f"{runs}/{name}/status.json").st_mtime_ns))
        except OSError:
            continue
    return found


def had_its_turn(folder: JobFolder) -> bool:
    """Whether an entry has had its turn. One that a reboot has ended has not: `core.runs.queueing` puts it back."""
    now = standing(folder)
    return now.over and not (now.state == LOST and now.rebooted)


def waiting_here(queue: Queue, now: QueueFile) -> list[QueuedRun]:
    """The entries that wait, in order, and that may be started for this user (`core.jobs.trust`)."""
    return [entry for entry in queue.waiting(now) if refusal(queue.folder(entry)) is None]


def ensure_runner(workspace: Path, module: str) -> bool:
    """Starts the runner if something waits and none lives; writes what the queued runs wait for. Some 0.2 s.

    Args:
        workspace: where the queue lies.
        module: the module whose `main` is the runner's.

    Returns:
        Whether a runner lives now.

    Raises:
        JobFailed: it did not start.
    """
    queue = Queue(workspace)
    now = queue.read()
    if not waiting_here(queue, now):
        return now.alive
    if now.alive:
        return True
    if now.paused:
        update_waiting_runs(workspace)
        return False
    try:
        code = detach(module, [queue.workspace], queue.log, clean_environment(), patience=30.0)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobFailed(f"The queue's runner could not be started: {error}", where=os.fspath(workspace)) from error
    if code != 0:
        raise JobFailed("The queue's runner did not start", where=os.fspath(workspace), do=f"See {queue.log}")
    return True


def update_waiting_runs(workspace: Path) -> None:
    """Writes into each waiting run its place and what it waits for; after a change of the order, without a runner."""
    runner = Runner(Queue(workspace))
    try:
        runner.step()
    finally:
        runner.close()


def main(argv: Sequence[str], commands: Commands) -> int:
    """Takes the queue over, in the background: the caller's process ends at once, with 0 if the queue has its runner.

    Args:
        argv: the workspace.
        commands: makes those of a run.

    Returns:
        The exit code; in the background process, only after the queue's end.
    """
    queue = Queue(Path(argv[0]))
    try:
        lock = files.open_lock(queue.runner_lock)
        patient_until = time.monotonic() + HANDOVER
        while not files.try_lock(lock):
            if queue.read().alive or time.monotonic() > patient_until:
                return 0  # another viewer was first, and its runner does the same
            time.sleep(0.02)  # one that has just said that it ends, or another that has yet to say that it lives
    except TunedeckError as error:
        print(error, file=sys.stderr)
        return 1
    reading, writing = os.pipe()
    if os.fork():  # the lock is that of the open file, so the child holds it when this process is gone
        os.close(writing)
        os._exit(0 if os.read(reading, 1) else 1)
    os.close(reading)
    os.chdir(queue.workspace)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: ended.set())
    me = process.identify(os.getpid())
    with queue.locked() as now:
        queue.write(replace(now, runner=me))
    os.write(writing, b"1")
    os.close(writing)
    runner, fault = Runner(queue, commands), ""
    with enduring_output():
        while True:
            try:
                if not runner.step():
                    return 0
                fault = ""
            except files.JobGone:
                return 0
            except TunedeckError as error:  # a fault of the disk may be over a second later
                if str(error) != fault:
                    fault = str(error)
                    print(fault, file=sys.stderr, flush=True)
            if ended.wait(TICK):
                return 0


def entry_of(
    folder: JobFolder, devices: Sequence[str], *, free_bytes: int = 0, not_before: float = 0.0, after: str = ""
) -> QueuedRun:
    """An entry for a run that begins to wait now, for what this process sees."""
    return QueuedRun(folder.id, round(time.time(), 3), tuple(devices), free_bytes, not_before, visible_here(), after)
