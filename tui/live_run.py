"""What has been read of a run so far: series to draw, the newest reading of the devices, the last events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tui.charts.series import Series
from tui.charts.smooth import Smoothed

if TYPE_CHECKING:
    from core.jobs.follow import Update

EVENTS = 200
"""Events that are kept; the file has them all."""

SMOOTHING = {"normal": 1.0, "strong": 4.0, "off": 0.0}
"""Names of how much the loss is smoothed, and by how much more than normal."""

_NUMBERS = {int, float}
"""Types of values that can be drawn; a bool is none."""

_WINDOWS = 60
"""The moving average looks back over this part of the run, so that its curve has about as many bends."""


class LiveRun:
    """A run as it is being followed. Curves may hold on to its series: they grow, and are emptied on a restart.

    Attributes:
        loss: the train loss at each log event.
        average: its moving average.
        gpu: the newest record of `gpu.jsonl`, or None.
        events: the last events, oldest first.
        update: the newest look at the run, or None before the first.
        smoothing: a name of `SMOOTHING`.
    """

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self.loss = self.series("loss")
        self.average = Smoothed(self.loss, 0.9)
        self.gpu: Mapping[str, Any] | None = None
        self.events: deque[Mapping[str, Any]] = deque(maxlen=EVENTS)
        self.update: Update | None = None
        self.smoothing = "normal"

    def series(self, key: str) -> Series:
        """The series of a metric; empty until the run logs it."""
        return self._series.setdefault(key, Series())

    def last(self, key: str) -> float | None:
        """The newest value of a metric, or None."""
        return self.series(key).last

    def at(self, key: str, step: float) -> float | None:
        """The value of a metric at a step, or the last before it."""
        series = self.series(key)
        position = series.positions(step, step)[1] - 1
        return series.y[position] if position >= 0 else None

    def add(self, update: Update) -> None:
        """Take in what one look at the run's folder found."""
        self.update = update
        if "metrics.jsonl" in update.restarted:
            for series in self._series.values():
                series.truncate(float("-inf"))
        if "events.jsonl" in update.restarted:
            self.events.clear()
        for keys, records in groupby(update.metrics, tuple):
            self._add_metrics(keys, list(records))
        self.events.extend(update.events)
        if update.gpu:
            self.gpu = update.gpu[-1]
        if update.metrics:
            self._smooth()

    def progress(self) -> tuple[int | None, int | None]:
        """Training steps done and in all. Later parts of the job count something else: then what was logged tells."""
        if self.update is None:
            return None, None
        status = self.update.status
        if status.stage == 0:
            return status.step, status.of
        last = int(self.loss.x[-1]) if len(self.loss) else None
        return last, last

    def next_smoothing(self) -> str:
        """Smooth by the next amount; returns its name."""
        names = list(SMOOTHING)
        self.smoothing = names[(names.index(self.smoothing) + 1) % len(names)]
        self._smooth()
        return self.smoothing

    def best(self, key: str) -> tuple[float, float] | None:
        """Step and value of a metric's smallest finite value, or None."""
        series = self.series(key)
        found = series.bounds(0, len(series))
        if not found.size:
            return None
        return series.x[series.y.index(found.lo)], found.lo

    def _add_metrics(self, keys: tuple[str, ...], records: list[dict[str, Any]]) -> None:
        """Add records of the same keys, a metric at a time: a long run has millions of values."""
        columns = dict(zip(keys, zip(*(record.values() for record in records), strict=True), strict=True))
        steps = columns.get("step", ())
        if not steps or not set(map(type, steps)) <= _NUMBERS:
            return
        for key, values in columns.items():
            if key in ("t", "step"):
                continue
            if set(map(type, values)) <= _NUMBERS:
                self.series(key).extend(steps, values)
                continue
            for step, value in zip(steps, values, strict=True):
                if type(value) in _NUMBERS:
                    self.series(key).append(step, value)
        if "eta_seconds" in columns and set(map(type, columns.get("t", ()))) <= _NUMBERS:
            self.series("_eta_moment").extend(steps, columns.get("t", steps))

    def _smooth(self) -> None:
        """Bring the average up to date, over a window that suits the run's length once that is known."""
        _, of = self.progress()
        steps = self.loss.x
        if of and len(steps) >= 2 and steps[1] > steps[0]:
            window = min(max(of / (steps[1] - steps[0]) / _WINDOWS, 3.0), 200.0) * SMOOTHING[self.smoothing]
            self.average.set_weight(1 - 1 / window if window > 1 else 0.0)
        self.average.update()
