"""The keeper's children: each started in a new session, collected when it ends, and none left behind."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType

from core.gpu.host import tree
from core.jobs import process
from core.jobs.ending import Exit, from_wait
from core.jobs.folder import JobFolder
from core.jobs.process import Identity

Start = Callable[[Sequence[str], Mapping[str, str], int], int]
"""Starts a stage: (argv, environment, descriptor for stdout and stderr) -> pid of a child in a session of its own."""

KEEPER_PYTHON = "TUNEDECK_KEEPER_PYTHON"
"""The variable that names the interpreter of keepers."""
STAGES = "TUNEDECK_STAGES"
"""The variable that tells a keeper what to run: from its launcher, and on to its worker and from there to the keeper
that follows a killed one. It never comes from a file: whoever can write into a run's folder could run anything."""

_PR_SET_CHILD_SUBREAPER = 36


def write_stages(stages: Sequence[Sequence[str]]) -> str:
    """The value of `STAGES` for these commands."""
    return json.dumps([list(argv) for argv in stages])


def read_stages(environment: Mapping[str, str]) -> list[list[str]]:
    """The commands that an environment names; empty without them."""
    stages: list[list[str]] = json.loads(environment.get(STAGES) or "[]")
    return stages


def relocated(stages: Sequence[Sequence[str]], folder: JobFolder) -> list[list[str]]:
    """Commands that name a job's folder, with the place where it lies now."""
    former = set(map(os.fspath, folder.former))
    return [[os.fspath(folder.path) if part in former else part for part in argv] for argv in stages]


def spawn(argv: Sequence[str], environment: Mapping[str, str], output: int) -> int:
    """Starts a program in a new session, its output to a file, its input empty.

    Raises:
        OSError: it cannot be started.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]  # python ignores these two; SIGHUP stays ignored, on purpose
    return os.posix_spawnp(argv[0], list(argv), environment, file_actions=actions, setsid=True, setsigdef=defaults)


class Children:
    """All processes below this one, and its sleep until something happens to them.

    Whatever a child leaves behind when it ends becomes this process' child (not init's), and so stays known. SIGHUP is
    ignored, SIGTERM and SIGINT are counted.

    Attributes:
        terminations: how many SIGTERM or SIGINT have come.
        terminated_by: the name of the last one.
    """

    def __init__(self) -> None:
        self.terminations = 0
        self.terminated_by = ""
        self._adopted: Identity | None = None
        self._below: dict[int, Identity] = {}
        self._aside: set[int] = set()
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def adopt(self, worker: Identity) -> None:
        """Counts a process of another parent among these, and all below it; how it exits stays unknown."""
        self._adopted = worker

    def leave_alone(self, pid: int) -> None:
        """Counts a child as none of the job's: it is not waited for, and gets no signals."""
        self._aside.add(pid)

    def take_in(self, processes: Iterable[Identity]) -> None:
        """Counts processes whose parent is gone among these."""
        self._below |= {one.pid: one for one in processes}

    def wait(self, seconds: float) -> dict[int, Exit]:
        """Sleeps until a signal comes or the time is up; returns the children that have ended."""
        select.select([self._wakeup], [], [], seconds)
        try:
            while os.read(self._wakeup, 512):
                pass
        except BlockingIOError:
            pass
        ended: dict[int, Exit] = {}
        self._look_below()
        if self._adopted is not None and not process.is_alive(self._adopted):
            ended[self._adopted.pid] = Exit(None, None)
            self._adopted = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            ended[pid] = from_wait(status)
            self._aside.discard(pid)

    def living(self) -> list[int]:
        """The processes below this one, in whatever session they are."""
        self._look_below()
        aside = {pid for root in self._aside for pid in tree(root)}
        return [pid for pid in (*tree(os.getpid())[1:], *self._below) if pid not in aside]

    def _look_below(self) -> None:
        """Remembers what an adopted process has started: when it ends, these become nobody's children."""
        if self._adopted is not None:
            found = (process.identify(pid) for pid in tree(self._adopted.pid))
            self._below |= {one.pid: one for one in found if one is not None}
        self._below = {pid: one for pid, one in self._below.items() if process.is_alive(one)}

    def signal(self, *numbers: signal.Signals) -> None:
        """Sends signals to all of them."""
        for pid in self.living():
            for number in numbers:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.terminations += 1
        self.terminated_by = signal.Signals(number).name
