"""What the GPUs of a run did so far: their newest reading, the last minutes of each, peaks, and the energy used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.gpu.readings import labels

HISTORY, STRETCH = 12, 10.0
"""Stretches of each GPU's past that are kept, and seconds in each: two minutes, of which one cell in ten s is new."""

LONGEST_GAP = 60.0
"""Seconds between two readings up to which the power between them is taken to be their mean; else none is counted."""


@dataclass(slots=True)
class _Stretch:
    """Utilisations within one stretch of time."""

    number: int
    total: float = 0.0
    count: int = 0


class LiveGpus:
    """Takes in records of `gpu.jsonl`; memory does not grow with the run's length.

    Attributes:
        newest: the newest record, or None.
        peaks: by the label of each, the most memory in bytes that the run's processes held, where the driver tells.
        peak_rss: the most memory in bytes that the worker held, or None.
        watt_hours: energy of the run's GPUs so far; None where no power was ever read.
    """

    def __init__(self) -> None:
        self.newest: Mapping[str, Any] | None = None
        self._busy: dict[str, deque[_Stretch]] = {}
        self.peaks: dict[str, int] = {}
        self.peak_rss: int | None = None
        self.watt_hours: float | None = None
        self._power: tuple[float, float] | None = None

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take in records, oldest first."""
        for record in records:
            self.newest = record
            self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        worker = record.get("worker")
        pids: Sequence[Any] = ()
        if isinstance(worker, Mapping):
            pids = worker.get("pids") or ()
            rss = worker.get("rss")
            if isinstance(rss, int):
                self.peak_rss = max(self.peak_rss or 0, rss)
        watts: dict[int, float] = {}
        for label, gpu in of_run(record):
            number, busy, power = gpu.get("index"), gpu.get("utilization"), gpu.get("power")
            if not isinstance(number, int):
                continue
            self._remember(label, record.get("t"), busy)
            if isinstance(power, (int, float)):
                watts[number] = power  # slices of one GPU have one power between them
            memory = held(gpu.get("processes"), pids)
            if memory:
                self.peaks[label] = max(self.peaks.get(label, 0), memory)
        self._count_energy(record.get("t"), sum(watts.values()) if watts else None)

    def history(self, label: str) -> list[float | None]:
        """Mean utilisation of a GPU, in percent, in each stretch of the last two minutes, oldest first."""
        return [each.total / each.count if each.count else None for each in self._busy.get(label, ())]

    def _remember(self, label: str, moment: Any, busy: Any) -> None:
        if not isinstance(moment, (int, float)):
            return
        kept = self._busy.setdefault(label, deque(maxlen=HISTORY))
        stretch = int(moment // STRETCH)
        if not kept or kept[-1].number != stretch:
            kept.append(_Stretch(stretch))
        if isinstance(busy, (int, float)):
            kept[-1].total += busy
            kept[-1].count += 1

    def _count_energy(self, moment: Any, watts: float | None) -> None:
        if not isinstance(moment, (int, float)):
            return
        before, self._power = self._power, None if watts is None else (moment, watts)
        if watts is None:
            return
        if self.watt_hours is None:
            self.watt_hours = 0.0
        if before is not None and 0 < moment - before[0] <= LONGEST_GAP:
            self.watt_hours += (moment - before[0]) * (watts + before[1]) / 2 / 3600


def of_run(record: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The run's own GPUs in a record, with their labels."""
    gpus = [gpu if isinstance(gpu, Mapping) else {} for gpu in record.get("gpus") or ()]
    named = list(zip(labels((gpu.get("index"), gpu.get("uuid")) for gpu in gpus), gpus, strict=True))
    return [named[at] for at in record.get("devices") or () if isinstance(at, int) and 0 <= at < len(gpus)]


def held(processes: Any, pids: Sequence[Any]) -> int:
    """Bytes that the run's processes hold on one GPU, as far as the driver tells."""
    if not isinstance(processes, (list, tuple)) or not pids:
        return 0
    pairs = [pair for pair in processes if isinstance(pair, (list, tuple)) and len(pair) == 2 and pair[0] in pids]
    return sum(size for _, size in pairs if isinstance(size, int))
