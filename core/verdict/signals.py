"""Metrics beside the headline that show what it hides, in the bins of the course: bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from core.recipe.tasks import Signal
from core.verdict import thresholds as at

_HUGE = 1e100
_MOST = 32
"""Metrics that are followed at most: a run may have many rewards."""

_EVAL = "eval_"


@dataclass(slots=True)
class SignalTrack:
    """One metric.

    Attributes:
        sums, counts: of its values in each bin of the course, oldest first.
        start: its first values.
        held_out: step and value of its first evaluation and of the last ones.
    """

    sums: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    _sum: float = 0.0
    _count: int = 0

    def add(self, value: float) -> None:
        """Takes in a value of training."""
        self._sum += value
        self._count += 1
        if len(self.start) < at.FIRST_OF_SIGNAL:
            self.start.append(value)

    def close(self) -> None:
        """Ends a bin."""
        self.sums.append(self._sum)
        self.counts.append(self._count)
        self._sum, self._count = 0.0, 0

    def halve(self) -> None:
        """Makes one bin of two."""
        self.sums = [one + two for one, two in zip(self.sums[::2], self.sums[1::2], strict=True)]
        self.counts = [one + two for one, two in zip(self.counts[::2], self.counts[1::2], strict=True)]

    def rewind(self, bins: int, step: int) -> None:
        """Forgets bins from a number on, and evaluations from a step on."""
        del self.sums[bins:], self.counts[bins:]
        self._sum, self._count = 0.0, 0
        if not bins:
            self.start = []
        self.held_out = [each for each in self.held_out if each[0] < step]

    def mean(self, first: int, end: int) -> float | None:
        """The mean over the bins `first <= n < end`; None where it has no value there."""
        number = sum(self.counts[first:end])
        return sum(self.sums[first:end]) / number if number else None

    @property
    def began(self) -> float | None:
        """The mean of its first values; None while there are too few."""
        return sum(self.start) / len(self.start) if len(self.start) >= at.FIRST_OF_SIGNAL else None


class Signals:
    """What a task's verdict looks at beside its headline.

    Args:
        watched: the metric of each signal, `Task.signals`.
    """

    def __init__(self, watched: Mapping[Signal, str]) -> None:
        self._patterns = [(signal, metric) for signal, metric in watched.items()]
        self._names: dict[str, Signal | None] = {}
        self._tracks: dict[str, SignalTrack] = {}
        self._bins = 0

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def trained(self, record: Mapping[str, Any]) -> None:
        """Takes in what a record of training has of them."""
        for name, value in self._found(record):
            track = self._tracks.get(name)
            if track is None:
                if len(self._tracks) >= _MOST:
                    continue
                track = self._tracks[name] = SignalTrack([0.0] * self._bins, [0] * self._bins)
            track.add(value)

    def evaluated(self, step: int, record: Mapping[str, Any]) -> None:
        """Takes in what an evaluation has of them."""
        own = {key.removeprefix(_EVAL): value for key, value in record.items() if key.startswith(_EVAL)}
        for name, value in self._found(own):
            track = self._tracks.setdefault(name, SignalTrack([0.0] * self._bins, [0] * self._bins))
            kept = [each for each in track.held_out if each[0] < step]
            track.held_out = [*kept[:1], *kept[1:][-at.EVALS_OF_SIGNAL + 2 :], (step, value)]

    def close(self) -> None:
        """Ends a bin of the course."""
        self._bins += 1
        for track in self._tracks.values():
            track.close()

    def halve(self) -> None:
        """The course makes one bin of two."""
        self._bins //= 2
        for track in self._tracks.values():
            track.halve()

    def rewind(self, bins: int, step: int) -> None:
        """The run was resumed from an earlier checkpoint."""
        self._bins = min(self._bins, bins)
        for track in self._tracks.values():
            track.rewind(bins, step)

    def one(self, signal: Signal) -> SignalTrack | None:
        """The metric of a signal; None where nothing is known of it."""
        return next(
            (self._tracks[name] for name, its in self._names.items() if its == signal and name in self._tracks), None
        )

    def all(self, signal: Signal) -> Iterator[tuple[str, SignalTrack]]:
        """Every metric of a signal, by name."""
        return (
            (name, self._tracks[name]) for name, its in self._names.items() if its == signal and name in self._tracks
        )

    def _found(self, record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
        for name, value in record.items():
            if name not in self._names:
                if len(self._names) > 4 * _MOST:
                    continue
                matching = (signal for signal, pattern in self._patterns if fnmatchcase(name, pattern))
                self._names[name] = next(matching, None)
            if self._names[name] is not None and isinstance(value, int | float) and math.isfinite(value):
                yield name, max(-_HUGE, min(float(value), _HUGE))
