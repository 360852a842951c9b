"""The judge of one run: takes in its records as they come, and says how it goes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from core.recipe.tasks import EVAL_LOSS, LOSS, LOSS_TITLES
from core.verdict import thresholds as at
from core.verdict.course import Course
from core.verdict.devices import GpuHistory
from core.verdict.finding import QUIET, Finding, RunPlan, Verdict, VerdictKind
from core.verdict.rules import RULES
from core.verdict.words import describe_finding

_BEYOND = 10**308
"""A whole number from which on it counts as infinite: no metric is, and a float might not hold it."""

_MEASURE = 1e12
"""No epoch and no learning rate comes near it."""


class VerdictJudge:
    """Judges a run in bounded memory, whatever its length. How its records are cut into pieces changes nothing.

    Args:
        recipe: the run's recipe as JSON (`job.json["payload"]["recipe"]`); what is missing takes its default.
        steps: steps of training in all, if known.
    """

    def __init__(self, recipe: Mapping[str, Any] | None = None, steps: int | None = None) -> None:
        self._recipe = recipe or {}
        self._plan = RunPlan.of(self._recipe, steps)
        headline = self._plan.headline
        self._course = Course(headline)
        self._metric, self._eval_metric, self._cost = headline.metric, headline.eval_metric, headline.cost
        self._beside = tuple(key for key in (LOSS, EVAL_LOSS) if key not in (self._metric, self._eval_metric))
        self._devices = GpuHistory()
        self._shown: Finding | None = None
        self._coming: Finding | None = None
        self._count = self._without = 0
        self._trained_step = -1

    @property
    def plan(self) -> RunPlan:
        """What the run was to be."""
        return self._plan

    def expect(self, steps: int | None) -> None:
        """The number of steps in all is known now, or another one."""
        if steps != self._plan.steps:
            self._plan = RunPlan.of(self._recipe, steps)

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes in records of `metrics.jsonl`, in order. Numbers may be floats or the strings "nan", "inf", "-inf"."""
        for record in records:
            step = record.get("step")
            if not isinstance(step, int):
                continue
            for key in self._beside:
                if (loss := _number(record.get(key))) is not None and not math.isfinite(loss):
                    self._course.broke(step, loss, "train loss" if key == LOSS else LOSS_TITLES[key])
                    self._judge()
            value = _number(record.get(self._metric))
            if value is not None:
                self._add_trained(step, self._cost(value), record)
            elif (value := _number(record.get(self._eval_metric))) is not None:
                self._course.evaluated(step, self._cost(value), _finite(record.get("epoch")))
                self._judge()
            elif (norm := _number(record.get("grad_norm"))) is not None:
                self._course.broke(step, norm)
                self._judge()

    def add_gpu(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Takes in records of `gpu.jsonl`, in order."""
        for record in records:
            self._devices.add(record)

    def verdict(self, *, over: bool = False, instead: Finding | None = None) -> Verdict:
        """How the run goes, or went.

        Args:
            over: whether the run has ended.
            instead: what is known from elsewhere: that it has stalled, or ended by an error. A stall comes before
                everything that the metrics say; an error takes the place of a verdict that nothing is wrong.
        """
        course, plan = self._course, self._plan
        finding = self._shown
        if finding is None:
            finding = self._devices.finding()
        if finding is None:
            finding = self._quiet(over)
        if instead is not None and (instead.kind is VerdictKind.STALLED or finding.kind in QUIET):
            finding = instead
        return describe_finding(finding, course, plan)

    def _add_trained(self, step: int, cost: float, record: Mapping[str, Any]) -> None:
        course = self._course
        if step <= self._trained_step:
            self._rewind(step)
        self._trained_step = step
        if "weights_changed" in record and (share := _number(record["weights_changed"])) is not None:
            course.moved = (step, share)
        norm = record.get("grad_norm")
        if norm.__class__ is not float:
            norm = _number(norm)
        moment = record.get("t")
        if moment.__class__ is float or moment.__class__ is int:
            self._devices.trained(moment, step)
        if course.trained(step, cost, norm):
            course.close(_finite(record.get("learning_rate")), _finite(record.get("epoch")))
            self._judge()
        elif course.broken is not None:
            self._judge()

    def _quiet(self, over: bool) -> Finding:
        course, plan = self._course, self._plan
        needed = at.ENOUGH
        if course.events < needed or course.step < plan.warmup:
            short = over or (plan.events is not None and plan.events < needed)
            return Finding(VerdictKind.TOO_EARLY if short else VerdictKind.WARMING_UP, 0)
        return Finding(VerdictKind.HEALTHY, 0)

    def _judge(self) -> None:
        """Asks the rules once more; what they say must hold for a while before it is shown or taken back."""
        course, plan = self._course, self._plan
        course.shown = None if self._shown is None else self._shown.kind
        found: Finding | None = None
        hold = 1
        for ranked in RULES:
            found = ranked.rule(course, plan)
            if found is not None:
                hold = ranked.hold
                break
        shown = self._shown
        if found is not None and shown is not None and found.kind is shown.kind:
            self._shown = Finding(found.kind, shown.since, found.facts, found.cause)
            self._coming, self._count, self._without = None, 0, 0
            return
        if found is None:
            self._coming, self._count = None, 0
        elif self._coming is not None and self._coming.kind is found.kind:
            self._coming = Finding(found.kind, self._coming.since, found.facts, found.cause)
            self._count += 1
        else:
            self._coming, self._count = found, 1
        self._without += 1
        if found is not None and self._count >= hold:
            self._shown, self._coming, self._count, self._without = self._coming, None, 0, 0
        elif self._without >= at.RELEASE:
            self._shown = None

    def _rewind(self, step: int) -> None:
        """The run was resumed from an earlier checkpoint: what came after it never was."""
        self._course.rewind(step)
        self._coming, self._count, self._without = None, 0, 0
        if self._shown is not None and self._shown.since >= step:
            self._shown = None


def _number(value: Any) -> float | None:
    """A number as the worker writes it; None for anything else."""
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return float(value) if abs(value) < _BEYOND else math.inf
    if kind is str and value in ("nan", "inf", "-inf"):
        return math.nan if value == "nan" else math.inf
    return None


def _finite(value: Any) -> float:
    """A number that a place or a rate can be; 0 for anything else, for NaN, and for what is beyond all measure."""
    number = _number(value)
    return number if number is not None and -_MEASURE < number < _MEASURE else 0.0
