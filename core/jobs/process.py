"""Which process is meant, for sure: pid, start time and boot id together. A pid alone is soon somebody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.gpu.host import boot_id, stat_fields


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one boot of one machine.

    Attributes:
        pid: process id.
        start_time: clock ticks from boot to the process' start (field 22 of `/proc/PID/stat`).
        boot_id: the kernel's random id of this boot.
    """

    pid: int
    start_time: int
    boot_id: str

    def to_json(self) -> dict[str, Any]:
        """The form in `job.json` and `status.json`."""
        return {"pid": self.pid, "start_time": self.start_time, "boot_id": self.boot_id}


def from_json(value: object) -> Identity | None:
    """The identity in a JSON value, or None where there is none."""
    if not isinstance(value, Mapping):
        return None
    pid, start, boot = value.get("pid"), value.get("start_time"), value.get("boot_id")
    if isinstance(pid, int) and isinstance(start, int) and isinstance(boot, str):
        return Identity(pid, start, boot)
    return None


def identify(pid: int) -> Identity | None:
    """The identity of a process of this machine that is alive, or None."""
    fields = stat_fields(pid)
    if len(fields) < 20 or fields[0] in "ZXx":
        return None
    return Identity(pid, int(fields[19]), boot_id())


def is_alive(identity: Identity | None) -> bool:
    """Whether this very process runs on this machine. A zombie has ended; a reused pid is another process."""
    return identity is not None and identify(identity.pid) == identity


def is_stopped(identity: Identity) -> bool:
    """Whether a signal has stopped this very process (`kill -STOP`): it stands still until another one comes."""
    return is_alive(identity) and stat_fields(identity.pid)[:1] in (["T"], ["t"])


def send(identity: Identity, number: signal.Signals, *, group: bool = False) -> bool:
    """Sends a signal to this very process, or to its process group if it leads one.

    Returns:
        Whether it was sent; False if the process had ended.
    """
    if not is_alive(identity):
        return False
    try:
        if group and os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)
    except ProcessLookupError:
        return False
    return True
