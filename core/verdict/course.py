"""The course of a run in bounded memory: its headline metric in bins of equal width, evaluations, the gradient norm.

The metric is kept as a cost, of which lower is better: a metric of which higher is better is kept as its negative.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass

from core.recent_mean import RecentValues
from core.recipe.tasks import SFT, Headline
from core.verdict import thresholds as at
from core.verdict.finding import VerdictKind

BINS = 128
"""Bins of the train cost that are kept at most; when they are full, pairs become one."""

EVALUATIONS = 512
"""Evaluations that are kept at most; when they are full, every other one goes, the best excepted."""

_MEMORY = 0.95
"""What the usual gradient norm keeps of itself at each event; ZClip (arXiv 2504.02507) takes 0.97."""

_YOUNG = 1 / (1 - _MEMORY)
"""Events up to which the usual norm is the plain mean of all."""

_SPIKE = math.log(at.SPIKE)

_HUGE = 1e100
"""Costs beyond it count as it: squares and sums of them must stay within what a float holds."""

_LARGEST = 700.0
"""The logarithm of the largest ratio that is kept: beyond it a float has no number for it."""


@dataclass(frozen=True, slots=True)
class Level:
    """The train cost over a stretch: mean, standard deviation of single events, and their number."""

    mean: float
    deviation: float
    events: int

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / math.sqrt(self.events)


@dataclass(frozen=True, slots=True)
class Bin:
    """Some log events in a row: the steps of the first and the last, epoch and learning rate at the last."""

    first: int
    last: int
    epoch: float
    rate: float


@dataclass(frozen=True, slots=True)
class EvalPoint:
    """A value on the eval set: its step, the cost, the epoch, and the log events of training before it."""

    step: int
    cost: float
    epoch: float
    events: int


@dataclass(frozen=True, slots=True)
class Spike:
    """A gradient far above the usual one: its step, the log event, and how many times the usual norm it had."""

    step: int
    event: int
    ratio: float


class Course:
    """What the rules look at. Memory does not grow with the run's length.

    Args:
        headline: the metric that says how the run goes.

    Attributes:
        headline: the same.
        events: log events of training so far.
        step: the last step that was logged.
        width: log events in a bin.
        bins: whole bins of that width, oldest first.
        means: the mean train cost of each.
        start: costs of the first events.
        recent: costs of the last events, whose mean is what the metric is said to be now.
        peak_rate: the largest learning rate so far.
        evaluations: costs on the eval set, oldest first.
        spikes: the last spikes of the gradient.
        still: log events in a row with a gradient norm of exactly 0.
        trivial: step and mean of the events near zero early in the first epoch, of a loss per token; else None.
        broken: step and name of the first value that was not finite, or None.
        moved: step and share of the trained weights that had changed by then, as they are held; None while nobody said.
        shown: the kind that the judge shows now: some rules take less to stay than to begin.
    """

    def __init__(self, headline: Headline = SFT.headline) -> None:
        self.headline = headline
        self.events = 0
        self.step = 0
        self.width = 1
        self.bins: list[Bin] = []
        self.means: list[float] = []
        self.start: list[float] = []
        self.recent = RecentValues()
        self.peak_rate = 0.0
        self.evaluations: list[EvalPoint] = []
        self.spikes: deque[Spike] = deque(maxlen=64)
        self.still = 0
        self.trivial: tuple[int, float] | None = None
        self.broken: tuple[int, str] | None = None
        self.moved: tuple[int, float] | None = None
        self.shown: VerdictKind | None = None
        self._totals = [0.0]  # sums of the costs, and of their squares, up to the end of each bin
        self._squares = [0.0]
        self._open = 0  # events of the bin that is not whole yet, their first step and sums
        self._open_first = 0
        self._open_total = self._open_squares = 0.0
        self._norm = self._norm_variance = 0.0
        self._norms = self._row = self._broken_norms = 0

    def trained(self, step: int, cost: float, norm: float | None) -> bool:
        """Takes in a log event of training; returns whether a bin is whole with it, which `close` must end."""
        self.step = step
        if not -_HUGE < cost < _HUGE:  # quicker than isfinite, and nan is neither
            if not math.isfinite(cost):
                self.broken = self.broken or (step, self.headline.train_title)
                return False
            cost = math.copysign(_HUGE, cost)
        self.recent.add(step, cost)
        self.events += 1
        if norm is not None:
            self._gradient(step, norm)
        if not self._open:
            self._open_first = step
        self._open += 1
        self._open_total += cost
        self._open_squares += cost * cost
        if self.events <= at.FIRST:
            self.start.append(cost)
        return self._open == self.width

    def close(self, rate: float, epoch: float) -> None:
        """Ends a bin.

        Args:
            rate: the learning rate at its last event.
            epoch: the epoch there.
        """
        self.peak_rate = max(rate, self.peak_rate)
        self.bins.append(Bin(self._open_first, self.step, epoch, rate))
        self.means.append(self._open_total / self.width)
        self._totals.append(self._totals[-1] + self._open_total)
        self._squares.append(self._squares[-1] + self._open_squares)
        self._drop_open()
        early = epoch < 1 and at.TRIVIAL_EVENTS <= self.events <= at.TRIVIAL_WITHIN
        if early and self.trivial is None and self.headline.per_token:
            newest = self.means[-at.TRIVIAL_EVENTS :]
            if max(newest) <= at.TRIVIAL:
                self.trivial = (self.bins[-len(newest)].first, sum(newest) / len(newest))
        if len(self.bins) == BINS:
            self._halve()

    def broke(self, step: int, value: float, what: str = "gradient") -> None:
        """Takes in a value that is logged beside the headline metric: one that is not finite ends the run in that step.

        Args:
            step: the step.
            value: a gradient norm or a loss.
            what: what it is.
        """
        if not math.isfinite(value):
            self.broken = self.broken or (step, what)

    def evaluated(self, step: int, cost: float, epoch: float) -> None:
        """Takes in a value on the eval set."""
        self.step = max(step, self.step)
        if not math.isfinite(cost):
            self.broken = self.broken or (step, self.headline.eval_title)
            return
        cost = max(-_HUGE, min(cost, _HUGE))
        while self.evaluations and self.evaluations[-1].step >= step:
            self.evaluations.pop()  # a resumed run evaluates its checkpoint's step again
        self.evaluations.append(EvalPoint(step, cost, epoch, self.events))
        if len(self.evaluations) == EVALUATIONS:
            best = self.best
            self.evaluations = [e for n, e in enumerate(self.evaluations) if n % 2 == 0 or e is best]

    @property
    def best(self) -> EvalPoint | None:
        """The evaluation with the smallest cost, the first of equals."""
        return min(self.evaluations, key=lambda evaluation: evaluation.cost, default=None)

    def size(self, cost: float) -> float:
        """What a change from a cost is a share of.

        A loss per token is a share of itself. Any other metric may be zero or negative, and what it began with counts,
        too, where that was larger: a DPO loss that has come down to 0.01 has not doubled at 0.02.
        """
        if self.headline.per_token:
            return cost
        first = statistics.fmean(self.start) if self.start else 0.0
        return max(abs(cost), abs(first))

    def rewind(self, step: int) -> None:
        """Forgets what came at a step or later: the run was resumed from an earlier checkpoint."""
        keep = sum(bin_.last < step for bin_ in self.bins)
        del self.bins[keep:], self.means[keep:], self._totals[keep + 1 :], self._squares[keep + 1 :]
        self._drop_open()
        self.events = keep * self.width
        self.start = self.start[: self.events]
        self.recent.rewind(step)
        self.evaluations = [evaluation for evaluation in self.evaluations if evaluation.step < step]
        self.spikes = deque((spike for spike in self.spikes if spike.step < step), self.spikes.maxlen)
        self.broken = None
        if self.moved is not None and self.moved[0] >= step:
            self.moved = None
        if self.trivial is not None and self.trivial[0] >= step:
            self.trivial = None
        self.still = self._broken_norms = 0
        self.step = step - 1

    def level(self, first: int, end: int) -> Level:
        """The level over the bins `first <= n < end`, at least one."""
        events = (end - first) * self.width
        mean = (self._totals[end] - self._totals[first]) / events
        variance = (self._squares[end] - self._squares[first]) / events - mean * mean
        return Level(mean, math.sqrt(max(variance, 0.0) * events / max(events - 1, 1)), events)

    def sliding(self, width: int) -> list[float]:
        """The mean of each so many bins in a row."""
        events = width * self.width
        pairs = zip(self._totals, self._totals[width:], strict=False)
        return [(end - first) / events for first, end in pairs]

    def window(self, events: int, share: float) -> int:
        """So many events, or this share of all so far if that is more, in bins, at least one."""
        return -(-max(events, math.ceil(share * self.events)) // self.width)

    def newest(self, events: int, share: float) -> Level:
        """The level over the newest window, or over all where there is less; there must be a whole bin."""
        return self.level(max(0, len(self.bins) - self.window(events, share)), len(self.bins))

    def _drop_open(self) -> None:
        self._open = 0
        self._open_total = self._open_squares = 0.0

    def _halve(self) -> None:
        pairs = zip(self.bins[::2], self.bins[1::2], strict=True)
        self.bins = [Bin(one.first, two.last, two.epoch, two.rate) for one, two in pairs]
        self.means = [(one + two) / 2 for one, two in zip(self.means[::2], self.means[1::2], strict=True)]
        self._totals, self._squares = self._totals[::2], self._squares[::2]
        self.width *= 2

    def _gradient(self, step: int, norm: float) -> None:
        if not math.isfinite(norm):
            self._broken_norms += 1
            if self._broken_norms == at.BROKEN_NORMS and self.broken is None:
                self.broken = (step, "gradient")
            return
        self._broken_norms = 0
        self.still = self.still + 1 if norm == 0 else 0
        if norm <= 0:
            return
        logarithm = math.log(norm)
        off = logarithm - self._norm if self._norms else 0.0
        if off > _SPIKE and self._norms >= at.SPIKES_AFTER:
            usual = max(_SPIKE, at.SPIKE_DEVIATIONS * math.sqrt(self._norm_variance))
            if off > usual:
                self.spikes.append(Spike(step, self.events, math.exp(min(off, _LARGEST))))
                self._row += 1
                if self._row < at.NEW_NORM:
                    return  # what is usual is not learned from what is not
                self._norms = 0
        self._row = 0
        self._norms += 1
        if self._norms == 1:
            self._norm, self._norm_variance = logarithm, 0.0
            return
        keep = _MEMORY if self._norms > _YOUNG else 1 - 1 / self._norms
        self._norm += (1 - keep) * off
        self._norm_variance = keep * (self._norm_variance + (1 - keep) * off * off)
