"""The mean of the last values of a series that grows, as a curve."""

from __future__ import annotations

from array import array
from math import isfinite

from core.recent_mean import MEAN_OF, mean_of_last
from tui.charts.series import Series


class Smoothed:
    """The mean of the last values at each value of a series.

    Attributes:
        series: the means; not finite where the source is not. It stays the same object.
        number: how many values are averaged.
    """

    def __init__(self, source: Series, number: int = MEAN_OF) -> None:
        self.source = source
        self.series = Series()
        self._reset(number)

    def _reset(self, number: int) -> None:
        self.number = number
        self._rewinds = self.source.rewinds
        self._scale = self.source.scale
        self._finite: array[float] = array("d")
        """The last finite values of the source that were taken in."""
        if len(self.series):
            self.series.truncate(float("-inf"))

    def set_number(self, number: int) -> None:
        """Average over another number of values."""
        if number != self.number:
            self._reset(number)
            self.update()

    def update(self, newest: float | None = None) -> None:
        """Follow the source: values that it has more, or all of it again where it went back or was made shorter.

        Args:
            newest: the mean now, where it is known exactly: an entry of a long source stands for several values.
        """
        done, source = len(self.series), self.source
        if self._rewinds != source.rewinds or self._scale != source.scale:
            self._reset(self.number)
            done = 0
        end = source.whole
        if end > done:
            self._extend(done, end)
        if newest is not None and self.series.last is not None and source.last is not None:
            self.series.last = newest if isfinite(source.last) else source.last

    def _extend(self, done: int, end: int) -> None:
        number, finite = max(1, round(self.number / self._scale)), self._finite
        means = array("d")
        for value in self.source.y[done:end]:
            if isfinite(value):
                finite.append(value)
                value = mean_of_last(finite, number) or 0.0
            means.append(value)
        del finite[:-number]
        self.series.extend(self.source.x[done:end], means, ascending=True)
