"""How a worker ended, in words: from its exit code or signal, its last status, and the kernel's counters."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass

from core.jobs.status import DONE, FAILED, FINISHED, LEAVING, STOPPED, Status
from core.jobs.titles import COMPARING, TITLES, TRAINING

EXIT_STOPPED = 3
"""The exit code of a worker that ended because it was asked to."""
EXIT_AGAIN = 4
"""That of a rank after which all of them are started again: memory was short, and the batch is smaller now."""

_TAIL = 65_536
_ERROR_LINE = re.compile(r"^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Warning|Failed|Gone|Full)\b.*|^[\w.]+: .+")
_LAST_LINE_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    Attributes:
        code: its exit code, None where a signal ended it.
        signal: the signal's number, None where it exited. Where both are None, nobody saw how it ended.
    """

    code: int | None
    signal: int | None


def from_wait(status: int) -> Exit:
    """An `Exit` from the status that `os.waitpid` gives."""
    code = os.waitstatus_to_exitcode(status)
    return Exit(code, None) if code >= 0 else Exit(None, -code)


def from_last_status(status: Status) -> Exit:
    """How a worker ended whose exit nobody saw, by the last status that it wrote, if any."""
    if status.phase == DONE:
        return Exit(0, None)
    if status.fields.get(LEAVING) == EXIT_STOPPED:
        return Exit(EXIT_STOPPED, None)
    return Exit(1 if status.state == FAILED else None, None)


def judge(end: Exit, *, stage: str, status: Status, log: str, asked: bool, oom_kills: int) -> tuple[str, str]:
    """The state and the sentence that a worker's end comes to.

    Args:
        end: its exit code or signal.
        stage: what the stage does, see `core.jobs.titles`: `Training`.
        status: the last status; a worker that fails says why by `state="failed"` and `message`.
        log: the path of `output.log`.
        asked: whether somebody had asked the job to stop at once, or its keeper was told to.
        oom_kills: processes that the kernel killed for want of memory while the worker ran.

    Returns:
        (`finished`, `stopped` or `failed`, the sentence; "" for a plain finish). A comparison that the machine's memory
        was too small for does not undo the training before it.
    """
    if end.code == 0:
        return FINISHED, status.message if status.phase == DONE else ""
    if end.code == EXIT_STOPPED:
        return STOPPED, status.message or "Stopped on request."
    if asked and end.code is None and status.stage:
        return STOPPED, "Stopped immediately on request. Training was already done, and the adapter is saved."
    if asked and end.code is None:
        return STOPPED, "Stopped immediately on request: everything after the last checkpoint is lost."
    if oom_kills and stage == COMPARING and status.stage and end.signal in (signal.SIGKILL, None):
        return FINISHED, f"Training is finished and saved. {signal_words(signal.SIGKILL, stage, oom_kills)}"
    if end.signal is not None:
        return FAILED, signal_words(end.signal, stage, oom_kills)
    if end.code is None and oom_kills:
        return FAILED, signal_words(signal.SIGKILL, stage, oom_kills)
    if status.state == FAILED and status.message:
        return FAILED, status.message
    error = last_error(log)
    if error:
        return FAILED, f"{stage} failed: {error.rstrip('.')}. The traceback is at the end of output.log."
    if end.code is None:
        return FAILED, (
            f"{stage} was killed or crashed without an error message, and its keeper had already been killed. "
            f"The end of output.log may say why.{_resume(stage)}"
        )
    if status.message:
        return FAILED, status.message
    return FAILED, f"{stage} ended with exit code {end.code}. The end of output.log may say why."


def signal_words(number: int, who: str, oom_kills: int) -> str:
    """A sentence on a worker that a signal has ended, and what to do.

    Args:
        number: the signal.
        who: what it did, such as `Training`, and on which rank.
        oom_kills: see `judge`.
    """
    if number == signal.SIGKILL and oom_kills:
        return (
            f"{who} was killed by the kernel: the machine ran out of memory (RAM, not GPU memory). "
            f"Use a smaller model, fewer data loader workers or a machine with more RAM.{_resume(who)}"
        )
    if number == signal.SIGKILL:
        return (
            f"{who} was killed from outside (signal 9): by a person, by the job scheduler (time or memory limit), "
            f"or by the kernel. Check the scheduler's log.{_resume(who)}"
        )
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE):
        return (
            f"{who} crashed in compiled code (signal {number}, {name}). "
            "The end of output.log may say where; the usual cause is mismatched torch and CUDA versions."
        )
    return f"{who} was stopped from outside by signal {number} ({name}).{_resume(who)}"


def _resume(who: str) -> str:
    """What training leaves can be resumed; the other jobs leave nothing to resume from."""
    others = tuple(title for title in TITLES.values() if title != TRAINING)
    return "" if who.startswith(others) else " Resume continues from the last checkpoint, or from step 0 without one."


def last_error(log: str) -> str:
    """The last line of the last traceback in a log, such as `ValueError: no rows`; "" if there is none."""
    for line in _last_traceback(log)[1:]:
        if line and not line[0].isspace() and _ERROR_LINE.match(line):
            return line[:_LAST_LINE_LENGTH]
    return ""


def last_lines(log: str, number: int) -> list[str]:
    """The end of the last traceback in a log, up to its error; where there is none, the log's own last lines.

    Args:
        log: the path of `output.log`.
        number: of lines, at most.
    """
    lines = _last_traceback(log)
    for place, line in enumerate(lines[1:], 1):
        if line and not line[0].isspace() and _ERROR_LINE.match(line):
            lines = lines[: place + 1]
            break
    return [line[:_LAST_LINE_LENGTH] for line in (lines or _tail(log).splitlines())[-number:]]


def _last_traceback(log: str) -> list[str]:
    text = _tail(log)
    start = text.rfind("Traceback (most recent call last)")
    return text[start:].splitlines() if start >= 0 else []


def _tail(log: str) -> str:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def oom_kills(root: str = "/") -> int:
    """Processes that the kernel has killed for want of memory: in this control group, else on this machine.

    The machine's own counter is `oom_kill` in `/proc/vmstat`; a container that hits its own limit is counted in its
    control group too. The larger of both grows in either case.

    Args:
        root: the folder that holds `proc` and `sys`, with a slash at its end.
    """
    return max([_counter(f"{root}proc/vmstat"), *(_counter(path) for path in _cgroup_files(root))])


def _cgroup_files(root: str) -> list[str]:
    found = []
    try:
        with open(f"{root}proc/self/cgroup", encoding="utf-8") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if controllers == "":
                    found.append(f"{root}sys/fs/cgroup{path}/memory.events")
                elif "memory" in controllers.split(","):
                    found.append(f"{root}sys/fs/cgroup/memory{path}/memory.oom_control")
    except (OSError, ValueError):
        pass
    return found


def _counter(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
