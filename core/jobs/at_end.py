"""After a job's end, and where it stalls: a process that sends notifications, for a limited time.

Its failure is an event, nothing more. `job.json["payload"]["at_end"]` is `{"targets", "seconds" for each of them}`. A
file can name any command: only those that this user has agreed to are run (`core.jobs.trust`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import TunedeckError
from core.jobs.children import Children, spawn
from core.jobs.files import FILE_MODE
from core.jobs.folder import JobFolder
from core.jobs.trust import COMMAND, ConsentRequest

MODULE = "core.verdict.notify"
"""Run as `python -m MODULE FOLDER`, in the keeper's interpreter."""
CLAIM = ".told"
"""A file that is created before an end is notified, so that no end is notified twice, whoever was killed when."""
GRACE = 15.0
"""Seconds that the module has in addition to those of its targets: it starts, and reads the metrics."""
_LONGEST = 3600.0
"""Seconds that one target may take, whatever the file says."""


@dataclass(frozen=True, slots=True)
class EndNotifications:
    """What a job's payload wants at its end.

    Attributes:
        targets: commands and addresses.
        seconds: for each of them.
    """

    targets: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def agreed(self) -> tuple[str, ...]:
        """Those that this user has agreed to."""
        return tuple(target for target in self.targets if ConsentRequest(COMMAND, target).agreed)


def wanted(payload: Mapping[str, Any]) -> EndNotifications:
    """What a payload wants at the end; nothing where it is not of the form."""
    found = payload.get("at_end")
    if not isinstance(found, Mapping):
        return EndNotifications()
    targets, seconds = found.get("targets"), found.get("seconds")
    if not isinstance(targets, list) or not isinstance(seconds, (int, float)):
        return EndNotifications()
    return EndNotifications(tuple(str(target) for target in targets), min(max(float(seconds), 1.0), _LONGEST))


def claim(folder: JobFolder, payload: Mapping[str, Any]) -> bool:
    """Whether this process is the one that notifies of the end, if anybody is to be notified.

    Asked under the keeper's lock, when the job is over.
    """
    if not wanted(payload).targets:
        return False
    try:
        os.close(os.open(folder.path / CLAIM, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except OSError:
        return False  # it was notified, or the folder is gone
    return True


def forget(folder: JobFolder) -> None:
    """The job starts again: its next end is to be notified again."""
    try:
        os.unlink(folder.path / CLAIM)
    except OSError:
        pass


def notify_end(
    folder: JobFolder, payload: Mapping[str, Any], environment: Mapping[str, str], children: Children
) -> None:
    """Runs what is to be run when a job has ended, and waits for it. For whoever has the claim.

    Args:
        folder: the job's folder; its status is written.
        payload: that of its `job.json`.
        environment: of the keeper.
        children: of the keeper.
    """
    notifications = wanted(payload)
    limit = len(notifications.targets) * notifications.seconds + GRACE
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        output = os.open(folder.path / "at_end.log", flags, FILE_MODE)
    except OSError:
        return  # the folder is gone, or cannot be written to: nobody could read what comes of it
    try:
        pid = spawn([sys.executable, "-m", MODULE, os.fspath(folder.path)], environment, output)
    except OSError as error:
        _event(folder, f"The notification could not be started: {error.strerror}.")
        return
    finally:
        os.close(output)
    end = time.monotonic() + limit
    ended = None
    while ended is None and time.monotonic() < end:
        ended = children.wait(0.5).get(pid)
    if ended is None:
        _event(folder, f"The notification took longer than {limit:.0f} s and was killed.")
    elif ended.code != 0:
        _event(folder, "The notification failed; see at_end.log.")
    children.signal(signal.SIGKILL)  # also what it may have left behind


def notify_stall(
    folder: JobFolder, payload: Mapping[str, Any], environment: Mapping[str, str], children: Children
) -> None:
    """Starts what tells the same people that a run has stalled, and does not wait for it: the run may still move.

    Args:
        folder: the job's folder; what it says now is what they are told.
        payload: that of its `job.json`.
        environment: of the keeper.
        children: of the keeper; the process is none of the run's.
    """
    if not wanted(payload).targets:
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        output = os.open(folder.path / "at_end.log", flags, FILE_MODE)
    except OSError:
        return
    try:
        children.leave_alone(spawn([sys.executable, "-m", MODULE, os.fspath(folder.path)], environment, output))
    except OSError as error:
        _event(folder, f"The notification could not be started: {error.strerror}.")
    finally:
        os.close(output)


def _event(folder: JobFolder, message: str) -> None:
    try:
        folder.append_event("at_end", message, ok=False)
    except TunedeckError as error:
        print(f"keeper: {error}", file=sys.stderr, flush=True)
