"""Who computes on a GPU: user and command of a process, as far as this user may read them. No torch."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line

_WORDS = 60
"""Characters of a command that are shown."""


@dataclass(frozen=True, slots=True)
class GpuUser:
    """A process on a GPU.

    Attributes:
        pid: as the driver numbers it; in a container it may be the host's, and nobody's here.
        held: bytes of GPU memory; None where the driver does not tell.
        user: who runs it, or "".
        command: its command line, shortened, or "".
        run: the folder's name where it is a worker of tunedeck, or "".
    """

    pid: int
    held: int | None = None
    user: str = ""
    command: str = ""
    run: str = ""

    @property
    def words(self) -> str:
        """`pid 4242 (ada, python train.py)`, or `run support-desk (pid 4242)`."""
        if self.run:
            return f"run {self.run} (pid {self.pid})"
        known = ", ".join(filter(None, (self.user, self.command)))
        return f"pid {self.pid}{f' ({known})' if known else ''}"


def gpu_user(pid: int, held: int | None = None, *, proc: Path = Path("/proc")) -> GpuUser:
    """What is known of a process.

    Args:
        pid: its number.
        held: bytes that it holds.
        proc: where the kernel shows processes.
    """
    try:
        user = _name(os.stat(proc / str(pid)).st_uid)
        words = (proc / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return GpuUser(pid, held)
    run = next((Path(word).name for word in words if Path(word).parent.name == "runs"), "")
    ours = any(word.startswith(("core.training", "core.evaluation", "core.engine")) for word in words)
    shown = [Path(words[0]).name, *words[1:]] if words else []
    return GpuUser(pid, held, user, clean_line(" ".join(shown).strip(), _WORDS), clean_line(run, 60) if ours else "")


def _name(uid: int) -> str:
    try:
        return clean_line(pwd.getpwuid(uid).pw_name, 30)
    except KeyError:
        return f"user {uid}"
