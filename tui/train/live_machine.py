"""What GPUs and worker did, as metrics over steps: so they stand beside the loss, on the same axis."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tui.charts.series import Series
from tui.train.live_gpus import held, of_run

LIMIT = 1 << 12
"""Entries that are kept of a metric: sixteen GPUs have many, and none is wider than a screen."""

_WAITING = 20_000
"""Readings that may wait for the log event that follows them."""

_GIB = 2**30


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
