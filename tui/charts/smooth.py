"""The moving average of a series that grows."""

from __future__ import annotations

from array import array
from math import isfinite

from tui.charts.series import Series


class Smoothed:
    """The exponential moving average of a series, without the pull to zero at its start (as Adam corrects it).

    Attributes:
        series: the average at each finite value; not finite where the source is not. It stays the same object.
        weight: what the past counts, 0 (no smoothing) up to, not including, 1.
    """

    def __init__(self, source: Series, weight: float) -> None:
        self.source = source
        self.series = Series()
        self._reset(weight)

    def _reset(self, weight: float) -> None:
        self.weight = weight
        self._rewinds = self.source.rewinds
        self._scale = self.source.scale
        self._sum = self._norm = 0.0
        if len(self.series):
            self.series.truncate(float("-inf"))

    def set_weight(self, weight: float) -> None:
        """Smooth anew with another weight."""
        if weight != self.weight:
            self._reset(weight)
            self.update()

    def update(self) -> None:
        """Follow the source: values that it has more, or all of it again where it went back or was made shorter."""
        done, source = len(self.series), self.source
        if self._rewinds != source.rewinds or self._scale != source.scale:
            self._reset(self.weight)
            done = 0
        end = source.whole
        if end == done:
            return
        weight = self.weight**self._scale
        rest = 1 - weight
        total, norm = self._sum, self._norm
        averages = []
        for value in source.y[done:end]:
            if isfinite(value):
                total = total * weight + value * rest
                norm = norm * weight + rest
                value = total / norm
            averages.append(value)
        self._sum, self._norm = total, norm
        self.series.extend(source.x[done:end], array("d", averages), ascending=True)
