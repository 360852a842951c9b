"""What `/proc` says of this machine and its processes: CPU, memory, family. Linux only; elsewhere nothing is known."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the pid namespace that the machine boots with, PROC_PID_INIT_INO in Linux' `proc_ns.h`."""

_LISTS_CHILDREN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
"""Whether this kernel lists a thread's children (CONFIG_PROC_CHILDREN); else every process must be read."""


@cache
def boot_id() -> str:
    """The kernel's random id of this boot, or "" where there is no `/proc`. No process outlives it: it is read once."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def host_pids() -> bool:
    """Whether processes have the same numbers here as on the host, where the driver counts them: not in a container."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return True


def memory() -> tuple[int | None, int | None]:
    """RAM of this machine in bytes: (in all, free for use), from `/proc/meminfo`."""
    found: dict[str, int] = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("MemTotal", "MemAvailable"):
                    found[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return found.get("MemTotal"), found.get("MemAvailable")


def cpus() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0))


def stat_fields(pid: int) -> list[str]:
    """The fields of `/proc/PID/stat` after the name: `[state, ppid, ...]`; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()  # the name may hold spaces and brackets


def children(pid: int) -> list[int]:
    """The direct children of a process, of all its threads."""
    found: list[int] = []
    if not _LISTS_CHILDREN:
        others = (int(name) for name in os.listdir("/proc") if name.isdecimal())
        return [other for other in others if stat_fields(other)[1:2] == [str(pid)]]
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass  # a thread or the process ended meanwhile
    return found


def tree(pid: int) -> list[int]:
    """A process and all its descendants, itself first, zombies aside. Empty if it has ended."""
    found: dict[int, None] = {}
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        if current not in found and stat_fields(current)[:1] not in ([], ["Z"], ["X"], ["x"]):
            found[current] = None
            waiting += children(current)
    return list(found)


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """What a process and its children use.

    Attributes:
        pids: the processes, the first one is the root; empty if it has ended.
        rss: resident memory of all, bytes. Pages that they share count once for each of them.
        cpu: percent of one processor since the reading before (250 = two and a half busy); None at the first.
    """

    pids: tuple[int, ...]
    rss: int
    cpu: float | None


class ProcessMeter:
    """Reads a process and its children again and again.

    Args:
        pid: the root process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ticks: dict[int, int] = {}
        self._time: float | None = None

    def read(self) -> ProcessReading:
        """The reading of now; never raises."""
        now = time.monotonic()
        pids = tree(self.pid)
        rss, used, ticks = 0, 0, {}
        for pid in pids:
            fields = stat_fields(pid)
            if len(fields) > 21:
                ticks[pid] = int(fields[11]) + int(fields[12])
                used += ticks[pid] - self._ticks.get(pid, 0)
                rss += int(fields[21]) * _PAGE
        cpu = None
        if self._time is not None and now > self._time:
            cpu = round(100 * max(0, used) / _TICKS / (now - self._time), 1)
        self._ticks, self._time = ticks, now
        return ProcessReading(tuple(pids), rss, cpu)
