"""One device as gauges show it, and what is said of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.clean import clean_line

MISSING = "n/a"

AT_ITS_LIMIT = ("power limit",)
"""What holds back a GPU that is simply at work: said, but no warning."""


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One device as it is shown. A value that cannot be had is None.

    Attributes:
        label: short name, such as `GPU 0`.
        name: the product's name, or "".
        memory_run: bytes that the watched processes use.
        memory_used: bytes in use by all.
        memory_total: bytes.
        utilization: percent.
        power: watts.
        power_limit: watts.
        temperature: degrees Celsius.
        throttle: why it is held back, in words; empty if it is not.
        problem: a sentence that names it, if it cannot be read, else "".
        busy: utilization in percent over the last minutes, oldest first; None where it could not be had.
    """

    label: str
    name: str = ""
    memory_run: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    utilization: int | None = None
    power: float | None = None
    power_limit: float | None = None
    temperature: int | None = None
    throttle: tuple[str, ...] = ()
    problem: str = ""
    busy: tuple[float | None, ...] = ()

    @property
    def memory_others(self) -> int | None:
        """Bytes in use by processes that are not watched."""
        if self.memory_used is None or self.memory_run is None:
            return None
        return max(0, self.memory_used - self.memory_run)

    @property
    def memory_free(self) -> int | None:
        """Bytes not in use."""
        if self.memory_used is None or self.memory_total is None:
            return None
        return max(0, self.memory_total - self.memory_used)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What holds it back, other than its own power limit."""
        return tuple(reason for reason in self.throttle if reason not in AT_ITS_LIMIT)

    @property
    def at_limit(self) -> bool:
        """Whether its power limit is all that holds it back."""
        return bool(self.throttle) and not self.warnings

    @property
    def throttle_words(self) -> str:
        """What holds it back."""
        if self.at_limit:
            return "at its power limit"
        return clean_line(f"throttled: {', '.join(self.warnings)}") if self.throttle else "no throttling"


def notes(devices: Sequence[DeviceReading], *, limits: bool = False, problems: bool = True) -> list[str]:
    """What must be said of some of several devices, the gravest first: each reason once, with the devices it holds for.

    Args:
        devices: all that are shown.
        limits: whether it is said too which of them are at their power limit.
        problems: whether devices that cannot be read are named; no where their own rows do.
    """
    found = [clean_line(device.problem) for device in devices if device.problem and problems]
    held: dict[str, list[str]] = {}
    for device in devices:
        for reason in device.warnings:
            held.setdefault(reason, []).append(device.label)
    if held:
        who = {reason: f" ({', '.join(labels)})" if len(devices) > 1 else "" for reason, labels in held.items()}
        found.append(clean_line("throttled: " + "; ".join(reason + who[reason] for reason in held)))
    at_limit = [device.label for device in devices if device.at_limit]
    if at_limit and limits:
        found.append(f"at the power limit: {', '.join(at_limit) if len(at_limit) < len(devices) else 'all'}")
    return found


def gib_words(value: int | None) -> str:
    """Bytes as GiB, without the unit."""
    return MISSING if value is None else f"{value / 2**30:.1f}"


def number_words(value: float | None) -> str:
    """A whole number."""
    return MISSING if value is None else f"{value:.0f}"


def memory_words(device: DeviceReading) -> str:
    """Used and total memory in GiB, without the unit: `61.2/80.0`."""
    return f"{gib_words(device.memory_used)}/{gib_words(device.memory_total)}"


def power_words(device: DeviceReading) -> str:
    """Watts and their limit: `412/700`."""
    return f"{number_words(device.power)}/{number_words(device.power_limit)}"


def share_words(device: DeviceReading) -> str:
    """Whose memory it is, in GiB: `run 58.9 others 2.3 free 18.8`."""
    run, free = gib_words(device.memory_run), gib_words(device.memory_free)
    return f"run {run} others {gib_words(device.memory_others)} free {free}"


def share(value: float | None, whole: float | None) -> float:
    """A part of a whole; 0 where either is not known."""
    return value / whole if value is not None and whole else 0.0
