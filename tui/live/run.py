"""What has been read of a run so far: series to draw, the newest reading of the devices, the last events."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping
from itertools import groupby
from operator import le
from typing import TYPE_CHECKING, Any, TypeGuard

from core import timestamps
from core.recent_mean import MEAN_OF, RecentValues
from core.recipe.tasks import SFT, Headline
from tui.charts.series import HUGE, Series
from tui.charts.smooth import Smoothed
from tui.live.devices import LIMIT as DEVICE_LIMIT
from tui.live.devices import LiveGpus, LiveMachine

if TYPE_CHECKING:
    from core.jobs.follow import Update

EVENTS = 200
"""Events from which those of a few lines are chosen."""

PAST = 5_000
"""Events that are kept to be read again; the file has them all."""

SMOOTHING = {"normal": MEAN_OF, "strong": 4 * MEAN_OF, "off": 1}
"""Names of how much the headline metric is smoothed, and of how many values it is the mean."""

LIMIT, LONG = 1 << 17, 1 << 15
"""Entries that are kept of the headline metric, and of any other of a longer run: memory is flat at any length."""

MOMENT = "_moment"
"""The series of the moments, in unix seconds, at which steps were logged."""

HIDDEN = ("t", "step", "eta_seconds", "total_flos")
"""Keys of a record that are no metric."""

PLACES = ("epoch", "num_tokens")
"""Metrics that an x axis may count: one that is not finite is no place on it."""

_NUMBERS = {int, float}
"""Types of values that can be drawn; a bool is none."""


def _tame(value: Any) -> TypeGuard[float]:
    """Whether a value is a number that can be drawn, neither NaN nor beyond all measure."""
    return type(value) in _NUMBERS and -HUGE < value < HUGE


class LiveRun:
    """A run as it is being followed. Curves may hold on to its series: they grow, and are emptied on a restart.

    Attributes:
        headline: the metric that says how it goes.
        main: its values in training, one a log event.
        average: the mean of the last of them.
        gpus: what its GPUs did.
        names: the metrics that it has logged, in the order in which they first came.
        eta: seconds to the end as the trainer last estimated them, and the moment at which it did; or None.
        first_moment: unix seconds of the first record of metrics, or None.
        events: the last events, oldest first.
        past: many more of them.
        resumed: the moment at which it was last resumed from a checkpoint, or None.
        update: the newest look at the run, or None before the first.
        smoothing: a name of `SMOOTHING`.
        partial: whether this is a sampled read of a long run, not all of it.
    """

    def __init__(self, headline: Headline = SFT.headline, *, partial: bool = False) -> None:
        self.headline = headline
        self.partial = partial
        self._series: dict[str, Series] = {}
        self.names: list[str] = []
        self._known: set[str] = set()
        self.main = self.series(headline.metric)
        self._recent = RecentValues()
        self.average = Smoothed(self.main)
        self.gpus = LiveGpus()
        self._machine = LiveMachine(self.series(MOMENT), self._machine_series)
        self.eta: tuple[float, float] | None = None
        self.first_moment: float | None = None
        self.events: deque[Mapping[str, Any]] = deque(maxlen=EVENTS)
        self.past: deque[Mapping[str, Any]] = deque(maxlen=PAST)
        self.resumed: float | None = None
        self.update: Update | None = None
        self.smoothing = "normal"

    def series(self, key: str) -> Series:
        """The series of a metric; empty until the run logs it."""
        found = self._series.get(key)
        if found is None:
            whole = key in (self.headline.metric, self.headline.eval_metric)
            found = self._series[key] = Series(LIMIT, LIMIT if whole else LONG)
        return found

    def _machine_series(self, key: str) -> Series:
        """The series of what GPUs or worker did, which are metrics from then on."""
        if key not in self._known:
            self._known.add(key)
            self.names.append(key)
            self._series[key] = Series(DEVICE_LIMIT)
        return self._series[key]

    def last(self, key: str) -> float | None:
        """The newest value of a metric, or None."""
        return self.series(key).last

    def at(self, key: str, step: float) -> float | None:
        """The value of a metric at a step, or the last before it."""
        series = self.series(key)
        position = series.positions(step, step)[1] - 1
        return series.y[position] if position >= 0 else None

    def judge_by(self, headline: Headline) -> None:
        """Take another metric for the one that says how it goes: what kind of run it is was just read."""
        if headline != self.headline:
            self.headline = headline
            self.main = self.series(headline.metric)
            self._recent = RecentValues()
            self._recent.extend(self.main.x, self.main.y)
            self.average = Smoothed(self.main, self.mean_of)
            self._smooth()

    def add(self, update: Update) -> None:
        """Take in what one look at the run's folder found."""
        self.update = update
        if "metrics.jsonl" in update.restarted:
            for series in self._series.values():
                series.truncate(float("-inf"))
            self._recent = RecentValues()
        if "events.jsonl" in update.restarted:
            self.events.clear()
            self.past.clear()
        for _, records in groupby(update.metrics, len):
            self._add_metrics(list(records))
        self.events.extend(update.events)
        self.past.extend(update.events)
        for event in update.events:
            if event.get("kind") == "resume" and (moment := timestamps.seconds(event.get("t"))) is not None:
                self.resumed = moment
        self.gpus.add(update.gpu)
        self._machine.add(update.gpu)
        self._machine.place()
        if update.metrics:
            self._smooth()

    def progress(self) -> tuple[int | None, int | None]:
        """Training steps done and in all. Later stages of the job count something else: then what was logged counts."""
        if self.update is None:
            return None, None
        status = self.update.status
        last = int(self.main.x[-1]) if len(self.main) else None
        if status.stage:
            return last, last
        step, moment = status.step, self.last(MOMENT)
        if step is None or last is None or moment is None or moment <= (self.resumed or 0.0):
            return step, status.of
        return max(step, min(last, status.of or last)), status.of  # the status is written once a second at most

    @property
    def newest_step(self) -> float | None:
        """The last step that anything was logged at; None before the first."""
        return max((series.x[-1] for series in self._series.values() if len(series)), default=None)

    def next_smoothing(self) -> str:
        """Smooth by the next amount; returns its name."""
        names = list(SMOOTHING)
        self.smoothing = names[(names.index(self.smoothing) + 1) % len(names)]
        self._smooth()
        return self.smoothing

    @property
    def mean_of(self) -> int:
        """Of how many values the average is the mean."""
        return SMOOTHING[self.smoothing]

    @property
    def mean(self) -> float | None:
        """The mean of the last values of the headline metric; None before the first."""
        return self._recent.mean(self.mean_of)

    def smooth_as(self, smoothing: str) -> None:
        """Smooth by an amount, a name of `SMOOTHING`."""
        self.smoothing = smoothing
        self._smooth()

    @property
    def evaluations(self) -> Series:
        """The headline metric on the eval set."""
        return self.series(self.headline.eval_metric)

    def best(self) -> tuple[float, float] | None:
        """Step and value of the best finite evaluation, or None."""
        lower = self.headline.better == "lower"
        return self.evaluations.lowest() if lower else self.evaluations.highest()

    def to_be_drawn(self, metric: str) -> Series:
        """The series of a metric: of the headline, its moving average."""
        return self.average.series if metric == self.headline.metric else self.series(metric)

    def _add_metrics(self, records: list[dict[str, Any]]) -> None:
        """Add records, of the same keys if possible a metric at a time: a long run has millions of values."""
        keys = list(records[0])
        try:
            columns = {key: [record[key] for record in records] for key in keys}
        except KeyError:  # as many keys, but others
            for _, same_keys in groupby(records, tuple):
                self._add_metrics(list(same_keys))
            return
        steps = columns.get("step", ())
        if not steps or not set(map(type, steps)) <= _NUMBERS or not -HUGE < min(steps) <= max(steps) < HUGE:
            usable = [record for record in records if _tame(record.get("step"))]
            if usable:
                self._add_metrics(usable)
            return
        places = array("d", steps)
        ascending = all(map(le, steps, steps[1:]))
        for key, values in columns.items():
            if key in HIDDEN:
                continue
            if key not in self._known:
                self._known.add(key)
                self.names.append(key)
            if set(map(type, values)) <= _NUMBERS and (key not in PLACES or all(map(_tame, values))):
                self.series(key).extend(places, values, ascending=ascending)
                if key == self.headline.metric:
                    self._recent.extend(places, values)
                continue
            for step, value in zip(steps, values, strict=True):
                if _tame(value) if key in PLACES else type(value) in _NUMBERS:
                    self.series(key).append(step, value)
                    if key == self.headline.metric:
                        self._recent.add(step, value)
        moments = columns.get("t", ())
        if moments and None not in map(timestamps.seconds, moments):
            self.series(MOMENT).extend(places, moments, ascending=ascending)
            if self.first_moment is None:
                self.first_moment = moments[0]
            left = columns.get("eta_seconds", (None,))[-1]
            if (left := timestamps.seconds(left)) is not None:
                self.eta = (left, moments[-1])

    def _smooth(self) -> None:
        """Bring the average up to date."""
        self.average.set_number(self.mean_of)
        self.average.update(self.mean)
