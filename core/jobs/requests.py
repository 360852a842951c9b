"""What viewers ask of a running job: one file a request, answered in `events.jsonl`."""

from __future__ import annotations

import os
import signal
import time

from core.errors import BadInput
from core.jobs import files, process
from core.jobs.access import refuse_read_only
from core.jobs.folder import JobFolder
from core.jobs.queue import queue_of
from core.jobs.state import JobState, standing
from core.jobs.status import FAILED, QUEUED, STOPPED, Status
from core.jobs.trust import refuse_run

STOP = "stop"
STOP_NOW = "stop-now"
SAVE = "save"
PAUSE = "pause"
RESUME = "resume"
NAMES = (STOP_NOW, STOP, SAVE, PAUSE, RESUME)
"""All requests, the most urgent first."""
ENDS = (STOP_NOW, STOP)

GONE_AFTER = 60.0
"""Seconds without a heartbeat after which a job of another machine may be given up: its keeper writes one a second."""

_BETWEEN_SIGNALS = 0.2
"""Seconds after which a second SIGTERM is one of its own."""

RECEIVED = "received"
DONE = "done"
REFUSED = "refused"


def ask(folder: JobFolder, name: str) -> None:
    """Asks a running job for something, from any process of any machine that sees its folder.

    Asking twice is asking once. A queued run is removed from the queue when it is to stop. Where the keeper
    was killed and nobody else could enforce it, `stop-now` ends the worker at once. On a full disk, a run that waits
    for space can still be stopped on its own machine: its keeper gets a signal.

    Args:
        folder: the job's folder.
        name: `stop` (save, then end), `stop-now` (end without saving), `save` (write a checkpoint now), `pause` (at the
            next step, keeping all memory) or `resume` (after a pause).

    Raises:
        BadInput: unknown request; the job is over, or read-only for this user; or processes that its files name would
            have to be ended and it is not this user's own.
        DiskFull: there is no room for the request.
        JobGone: the folder was deleted or moved.
    """
    if name not in NAMES:
        raise BadInput(f"Unknown request {name!r}", do=f"Use one of {', '.join(NAMES)}")
    folder.check()
    now = standing(folder)
    if now.over:
        raise BadInput(f"The run has already ended ({now.state})", where=folder.id)
    refuse_read_only(folder)
    if now.state == QUEUED:
        if name not in ENDS:
            raise BadInput("The run has not started yet; it is queued", where=folder.id)
        _remove_from_queue(folder)
        return
    orphaned = name == STOP_NOW and now.local and not now.kept and now.status.worker is not None
    if orphaned:
        refuse_run(folder)  # its files may name any process
    words = {"t": round(time.time(), 3), "host": os.uname().nodename, "pid": os.getpid()}
    try:
        files.make_folder(os.fspath(folder.requests))
        files.replace(os.fspath(folder.requests / name), files.encode(words), durable=False)
    except files.DiskFull:
        keeper = process.from_json(folder.read_job().get("keeper"))
        if name not in ENDS or not now.kept or keeper is None:
            raise
        refuse_run(folder)
        _end_by_signal(keeper, now=name == STOP_NOW)
        return
    if orphaned:
        _end_orphan(folder, now.status)


def unreachable(now: JobState) -> bool:
    """Whether a job is another machine's and has had no heartbeat for a minute, so that nobody would read a request."""
    return (
        not now.over
        and not now.local
        and now.state != QUEUED
        and (now.heartbeat_age is None or now.heartbeat_age > GONE_AFTER)
    )


def give_up(folder: JobFolder) -> None:
    """Marks a job as failed whose machine is gone (a spot machine that was replaced), so that it can be resumed here.

    Nobody can look at processes of another machine, so a person has to know that they are gone.

    Args:
        folder: the job's folder.

    Raises:
        BadInput: it has ended, or is this machine's, or had a heartbeat within the last minute.
        DiskFull, JobGone: the folder cannot be written to.
    """
    folder.check()
    now = standing(folder)
    if now.over:
        raise BadInput(f"The run has already ended ({now.state})", where=folder.id)
    refuse_read_only(folder)
    if not unreachable(now):
        words = "it is this one" if now.local else f"its last heartbeat was {now.heartbeat_age or 0:.0f} s ago"
        raise BadInput(f"This run's machine is not gone: {words}", where=folder.id, do="Stop it without --gone")
    words = f"Its machine, {folder.read_job().get('host')}, no longer exists, as reported from {os.uname().nodename}."
    clear(folder)
    folder.append_event("alert", words)
    folder.write_status(state=FAILED, message=words, ended=time.time())


def pending(folder: JobFolder) -> tuple[str, ...]:
    """The requests that wait for an answer, the most urgent first. Takes microseconds: for every step.

    None are known while the folder cannot be reached.

    Raises:
        JobGone: the folder was deleted or moved.
    """
    names = folder.requested()
    if not names:
        folder.reachable()
    return tuple(name for name in NAMES if name in names)


def received(folder: JobFolder, name: str, **fields: float) -> None:
    """Confirms to the viewers that a request was seen and will be done.

    Args:
        folder: the job's folder.
        name: the request.
        fields: more of the event, such as `t` where that was not just now.
    """
    folder.append_event("request", _RECEIVED[name], request=name, answer=RECEIVED, **fields)


def done(folder: JobFolder, name: str, message: str = "", **fields: float) -> None:
    """Removes a request and confirms to the viewers that it was done.

    Args:
        folder: the job's folder.
        name: the request.
        message: a sentence on what was done, if there is more to say.
        fields: see `received`.
    """
    _remove(folder, name)
    folder.append_event("request", message or f"{_WORDS[name]}: done.", request=name, answer=DONE, **fields)


def refuse(folder: JobFolder, name: str, message: str, **fields: float) -> None:
    """Removes a request and explains to the viewers why it is not done; see `done`."""
    _remove(folder, name)
    folder.append_event("request", message, request=name, answer=REFUSED, **fields)


def clear(folder: JobFolder) -> None:
    """Removes all requests without an answer, before a new start."""
    for name in NAMES:
        _remove(folder, name)


_RECEIVED = {
    STOP: "Stopping.",
    STOP_NOW: "Stopping now without saving.",
    SAVE: "Saving a checkpoint at the next step.",
    PAUSE: "Pausing at the next step.",
    RESUME: "Resuming.",
}

_WORDS = {
    STOP: "Stop and save",
    STOP_NOW: "Stop now",
    SAVE: "Save a checkpoint",
    PAUSE: "Pause",
    RESUME: "Resume",
}


def _remove(folder: JobFolder, name: str) -> None:
    try:
        os.unlink(folder.requests / name)
    except OSError:
        pass


def _end_by_signal(keeper: process.Identity, *, now: bool) -> None:
    process.send(keeper, signal.SIGTERM)
    if now:
        time.sleep(_BETWEEN_SIGNALS)
        process.send(keeper, signal.SIGTERM)


def _remove_from_queue(folder: JobFolder) -> None:
    queue = queue_of(folder)
    if any(entry.id == folder.id for entry in queue.read().entries):
        queue.remove(folder.id)
    else:  # prepared for a cluster's scheduler, which knows nothing of this
        folder.write_status(state=STOPPED, message="Withdrawn before it started.", ended=time.time())


def _end_orphan(folder: JobFolder, status: Status) -> None:
    for one in status.processes:
        process.send(one, signal.SIGKILL, group=True)
    done(folder, STOP_NOW, "The run's keeper had been killed, so the run was killed at once.")
    folder.write_status(
        state=STOPPED, message="Stopped immediately on request.", ended=time.time(), signal=int(signal.SIGKILL)
    )
