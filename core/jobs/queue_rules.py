"""Which queued runs may start now, and what the others wait for. No clock, no files: all of it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import timestamps
from core.clean import clean_line
from core.gpu.readings import GpuSample
from core.gpu.selection import devices_of_run, gpus_named, visible_gpus
from core.jobs.queue import QueuedRun
from core.jobs.status import ENDINGS, FINISHED, LOST
from core.units import gib

CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Turn:
    """What is decided about one entry.

    Attributes:
        entry: the entry.
        devices: what to start it on; None if it waits.
        waits: what for, as the end of a sentence; "" if it starts.
    """

    entry: QueuedRun
    devices: tuple[str, ...] | None
    waits: str = ""


def decide(
    waiting: Sequence[QueuedRun],
    busy: Mapping[str, str],
    gpus: Sequence[GpuSample],
    *,
    now: float,
    paused: bool = False,
    gpu_problem: str = "",
    before: Mapping[str, str] | None = None,
) -> list[Turn]:
    """Gives each entry its turn. One run a device set; who comes first gets a device first.

    An entry whose time has not come, or that comes after a run which has not finished, blocks nobody; one that waits
    for memory reserves its devices.

    Args:
        waiting: in order.
        busy: device (as CUDA names it, or `cpu`) -> the run that is on it.
        gpus: all of this machine.
        now: unix seconds.
        paused: whether the queue is.
        gpu_problem: why no GPU can be read, or "".
        before: the states of the runs that others come after; one that is not named has been deleted.
    """
    taken = dict(busy)
    turns = []
    for entry in waiting:
        if waits := _waits_for_another(entry, before or {}):
            turns.append(Turn(entry, None, waits))
            continue
        turn = _turn(entry, taken, gpus, now, gpu_problem) if not paused else Turn(entry, None, "the queue is paused")
        turns.append(turn)
        held = turn.devices
        if held is None and turn.waits and entry.not_before <= now:
            held = tuple(name for names in _choices(entry, gpus) for name in names)
        for name in held or ():
            taken.setdefault(name, entry.id)
    return turns


def _waits_for_another(entry: QueuedRun, before: Mapping[str, str]) -> str:
    """What an entry waits for that continues another run; "" once that has finished."""
    if not entry.after:
        return ""
    state = before.get(entry.after, "deleted")
    if state == FINISHED:
        return ""
    if state not in (*ENDINGS, LOST, "deleted"):
        return f"waiting for {entry.after} to finish"
    how = {"failed": "it failed", "deleted": "it was deleted", "lost": "it was lost"}.get(state, "it was stopped")
    ways = "release or remove this run" if state == "deleted" else "resume it, or release or remove this run"
    return f"held after {entry.after}: {how}; {ways}"


def _turn(entry: QueuedRun, taken: Mapping[str, str], gpus: Sequence[GpuSample], now: float, gpu_problem: str) -> Turn:
    if entry.not_before > now:
        return Turn(entry, None, f"waiting until {_clock(entry.not_before, now)}")
    choices = _choices(entry, gpus)
    idle = [names for names in choices if not any(name in taken for name in names)]
    if not idle:
        name = next(name for name in choices[0] if name in taken)
        return Turn(entry, None, f"waiting for {device_words((name,))} (in use by {taken[name]})")
    if not entry.free_bytes or idle[0] == (CPU,):
        return Turn(entry, idle[0])
    free = {gpu.name_for_cuda: gpu.free for gpu in gpus}
    for names in idle:
        if all((free.get(name) or 0) >= entry.free_bytes for name in names):
            return Turn(entry, names)
    known = [size for names in idle for name in names if (size := free.get(name)) is not None]
    seen = f"{gib(max(known))} free now" if known else gpu_problem.rstrip(".") or "free memory is unknown"
    where = device_words(entry.devices) if entry.devices else "a GPU"
    return Turn(entry, None, f"waiting for {gib(entry.free_bytes)} of free memory on {where} ({seen})")


def _choices(entry: QueuedRun, gpus: Sequence[GpuSample]) -> list[tuple[str, ...]]:
    """The device sets that a run could be started on, the best first."""
    if entry.devices:
        return [device_names(entry.devices, gpus)]
    seen = visible_gpus(gpus, entry.visible).gpus
    return [(gpu.name_for_cuda,) for gpu in sorted(seen, key=_most_free_first)] or [(CPU,)]


def device_names(names: Sequence[str], gpus: Sequence[GpuSample]) -> tuple[str, ...]:
    """Devices by the one name that the queue knows them by, so that a GPU's UUID is its number."""
    found = [gpus_named(gpus, name) for name in names]
    return tuple(gpu[0].name_for_cuda if len(gpu) == 1 else name for name, gpu in zip(names, found, strict=True))


def device_words(names: Sequence[str]) -> str:
    """A device set for people: `GPU 0`, `GPUs 0 and 1`, `the CPU`."""
    if tuple(names) == (CPU,):
        return "the CPU"
    if len(names) == 1:
        return f"GPU {names[0]}" if names[0].isdecimal() else clean_line(names[0], 60)
    return f"GPUs {', '.join(names[:-1])} and {names[-1]}" if names else "a GPU"


def device_set(visible: str | None, gpus: Sequence[GpuSample]) -> tuple[str, ...]:
    """The devices of a run from its `CUDA_VISIBLE_DEVICES`; without it the first GPU, else the CPU."""
    found = devices_of_run(gpus, visible)
    if found:
        return tuple(gpu.name_for_cuda for gpu in found)
    return tuple(part.strip() for part in (visible or "").split(",") if part.strip()) or (CPU,)


def _most_free_first(gpu: GpuSample) -> int:
    """Other people's programs are in no queue: the emptiest GPU is the likeliest to be nobody's. A lost one is last."""
    free = gpu.free
    return 1 if free is None else -(free >> 30)


def _clock(moment: float, now: float) -> str:
    return timestamps.text(moment, "%H:%M" if timestamps.same_day(moment, now) else "%d %b %H:%M")
