"""What the GPUs and the worker of a run did: the newest reading, peaks, energy, and metrics over steps."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.gpu.readings import labels
from tui.charts.series import Series

HISTORY, STRETCH = 12, 10.0
"""Stretches of each GPU's past that are kept, and seconds in each: two minutes, of which one cell in ten s is new."""

LONGEST_GAP = 60.0
"""Seconds between two readings up to which the power between them is taken to be their mean; else none is counted."""

LIMIT = 1 << 12
"""Entries that are kept of a metric: sixteen GPUs have many, and none is wider than a screen."""

_WAITING = 20_000
"""Readings that may wait for the log event that follows them."""

_GIB = 2**30


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
        peaks: by the label of each, the peak bytes of the run's processes, where the driver reports them.
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
        """Mean utilization of a GPU, in percent, in each stretch of the last two minutes, oldest first."""
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
    """Bytes that the run's processes hold on one GPU, as far as the driver reports it."""
    if not isinstance(processes, (list, tuple)) or not pids:
        return 0
    pairs = [pair for pair in processes if isinstance(pair, (list, tuple)) and len(pair) == 2 and pair[0] in pids]
    return sum(size for _, size in pairs if isinstance(size, int))


class LiveMachine:
    """Means of all readings between two log events, at the later one's step; memory does not grow with the run.

    Args:
        moments: unix seconds of the log events over their steps.
        series: gives the series of a metric by its name, which it has from then on.
    """

    def __init__(self, moments: Series, series: Callable[[str], Series]) -> None:
        self._moments = moments
        self._series = series
        self._waiting: deque[tuple[float, dict[str, float]]] = deque(maxlen=_WAITING)
        self._step: float | None = None
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take in records of `gpu.jsonl`, oldest first."""
        for record in records:
            moment = record.get("t")
            if isinstance(moment, (int, float)):
                self._waiting.append((moment, _values(record)))

    def place(self) -> None:
        """Find the steps of the readings, as far as the log events after them are known."""
        moments = self._moments
        if not len(moments):
            return
        newest = moments.y[-1]
        while self._waiting and self._waiting[0][0] <= newest:
            moment, values = self._waiting.popleft()
            at = bisect_left(moments.y, moment)
            if not at:
                continue  # before the first log event the run loads: that is no part of its training
            if moments.x[at] != self._step:
                self._flush()
                self._step = moments.x[at]
            for name, value in values.items():
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = total + value, count + 1
        if not self._waiting or self._waiting[0][0] > newest:
            self._flush()

    def _flush(self) -> None:
        if self._step is not None:
            for name, (total, count) in self._sums.items():
                self._series(name).append(self._step, total / count)
        self._step = None
        self._sums.clear()


def _values(record: Mapping[str, Any]) -> dict[str, float]:
    worker = record.get("worker")
    worker = worker if isinstance(worker, Mapping) else {}
    found: dict[str, Any] = {}
    for label, gpu in of_run(record):
        found[f"{label} use %"] = gpu.get("utilization")
        memory = held(gpu.get("processes"), worker.get("pids") or ())
        found[f"{label} memory GiB"] = memory / _GIB if memory else None
        found[f"{label} power W"] = gpu.get("power")
        found[f"{label} heat °C"] = gpu.get("temperature")
    found["worker CPU %"] = worker.get("cpu")
    rss = worker.get("rss")
    found["worker RAM GiB"] = rss / _GIB if isinstance(rss, int) else None
    return {name: value for name, value in found.items() if isinstance(value, (int, float))}
