"""The moving average of a series that grows."""

from __future__ import annotations

from math import isfinite

from tui.charts.series import Series


class Smoothed:
    """The exponential moving average of a series, without the pull to zero at its start (as Adam corrects it).

    Attributes:
        series: the average at each finite value; not finite where the source is not.
        weight: what the past counts, 0 (no smoothing) up to, not including, 1.
    """

    def __init__(self, source: Series, weight: float) -> None:
        self.source = source
        self.series = Series()
        self._reset(weight)

    def _reset(self, weight: float) -> None:
        self.weight = weight
        self._rewinds = self.source.rewinds
        self._sum = self._norm = 0.0
        self.series = Series()

    def set_weight(self, weight: float) -> None:
        """Smooth anew with another weight."""
        if weight != self.weight:
            self._reset(weight)
            self.update()

    def update(self) -> None:
        """Follow the source: values that it has more, or all of it again where it went back."""
        done, source = len(self.series), self.source
        if self._rewinds != source.rewinds:
            self._reset(self.weight)
            done = 0
        weight = self.weight
        for position in range(done, len(source)):
            value = source.y[position]
            if isfinite(value):
                self._sum = self._sum * weight + value * (1 - weight)
                self._norm = self._norm * weight + (1 - weight)
                value = self._sum / self._norm
            self.series.append(source.x[position], value)
