"""Sentences: what a finding says to the person at the keyboard. Three lines of 80 cells, advice included."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from core.jobs.status import LOST
from core.jobs.titles import COMPARING
from core.recent_mean import MEAN_OF
from core.recipe.tasks import Headline
from core.units import count, significant
from core.verdict import remedies
from core.verdict import thresholds as at
from core.verdict.course import Course
from core.verdict.finding import QUIET, Advice, Finding, RunPlan, Verdict, VerdictKind

_Wording = tuple[str, list[Advice]]


@dataclass(frozen=True, slots=True)
class _Case:
    """What a sentence is made of."""

    finding: Finding
    course: Course
    plan: RunPlan

    def said(self, cost: float) -> str:
        """A cost as people read the metric."""
        return significant(self.headline.cost(cost), 4)

    def fact(self, name: str) -> str:
        """A cost of the finding, as people read the metric."""
        return self.said(self.finding.facts[name])

    @property
    def now(self) -> str:
        """The train metric now, the figure that header and chart print, and of how many values it is the mean."""
        mean = self.course.recent.mean()
        return f"{self.said(math.nan if mean is None else mean)} (mean of {MEAN_OF})"

    def worse(self, lower: str, higher: str) -> str:
        """A word for the way to worse: of a metric of which lower is better, or of one of which higher is."""
        return lower if self.headline.better == "lower" else higher

    @property
    def headline(self) -> Headline:
        return self.plan.headline

    @property
    def what(self) -> str:
        """What the metric is called."""
        return self.headline.title

    @property
    def since(self) -> str:
        return f" since step {count(self.finding.since)}"

    @property
    def best(self) -> str:
        """The best evaluation, as a sentence with a space before it, or ""."""
        best = self.course.best
        if best is None or len(self.course.evaluations) < 2:
            return ""
        return f" Best: step {count(best.step)}, eval {self.said(best.cost)}."


def describe_finding(finding: Finding, course: Course, plan: RunPlan) -> Verdict:
    """The verdict for a finding.

    Args:
        finding: what was found.
        course: of the run so far.
        plan: what the run was to be.
    """
    kind = finding.kind
    sentence, advice = _WORDINGS[kind](_Case(finding, course, plan))
    best = course.best if len(course.evaluations) > 1 else None
    return Verdict(
        kind=kind,
        since_step=None if kind in QUIET else finding.since,
        sentence=f"{kind.value.upper()}{sentence}",
        advice=tuple(advice),
        best_step=best.step if best else None,
        best_eval=plan.headline.cost(best.cost) if best else None,
    )


def _warming_up(case: _Case) -> _Wording:
    until = max(case.plan.warmup, at.ENOUGH * case.plan.recipe.training.log_every)
    return f": too early to judge before step {count(until)}.", []


def _too_early(case: _Case) -> _Wording:
    seen, step, warmup = case.course.events, case.course.step, case.plan.warmup
    missing: list[str] = []
    if seen < at.ENOUGH:
        missing.append(f"needs {at.ENOUGH} logged steps, {count(seen)} so far")
    if step < warmup:
        missing.append(f"warmup ends at step {count(warmup)}, now at step {count(step)}")
    few = seen < at.ENOUGH and case.plan.recipe.training.log_every > 1
    return f": {'; '.join(missing)}.", [remedies.EVERY_STEP] if few else []


def _healthy(case: _Case) -> _Wording:
    course = case.course
    words = f": {case.headline.train_title} {case.said(statistics.fmean(course.start))} -> {case.now}"
    evaluations = course.evaluations
    if not evaluations:
        return f"{words}. Without an eval set, overfitting would go unnoticed.", [remedies.EVAL_DATA]
    if len(evaluations) > 1:
        first, last = case.said(evaluations[0].cost), case.said(evaluations[-1].cost)
        words += f", {case.headline.eval_title} {first} -> {last}"
    newest_is_best = course.best is evaluations[-1]
    return f"{words}." if newest_is_best else f"{words}.{case.best}", []


def _plateau(case: _Case) -> _Wording:
    words = f"{case.since}: {case.headline.train_title} has leveled off at {case.now}"
    words += f" while the learning rate is still high.{case.best}"
    useful = case.finding.facts["epoch"]
    return words, [
        *remedies.epochs(case.plan, useful),
        remedies.rate(case.plan, 2),
        *remedies.rank(case.plan),
    ]


def _oscillating(case: _Case) -> _Wording:
    words = f"{case.since}: {case.finding.cause} {case.what} went {case.worse('up', 'down')} from {case.fact('low')} to"
    words += f" {case.fact('top')} and back {case.worse('down', 'up')}."
    return words, [remedies.rate(case.plan, 1 / 3), remedies.accumulation(case.plan)]


def _diverging(case: _Case) -> _Wording:
    what, _, blown_up = case.finding.cause.partition(", ")
    now = case.now if what == "train" else case.fact("now")
    words = f"{case.since}: {what} {case.what} {case.worse('rose', 'fell')} from {case.fact('low')} to"
    if blown_up:
        low = case.finding.facts["low"]
        back = case.finding.facts["now"] <= low + at.EVAL_BLOWN_UP * case.course.size(low)
        words += f" {case.fact('top')}; now {now}{', about where it started' if back else ''}."
    else:
        words += f" {now} and is not coming back {case.worse('down', 'up')}."
    since = case.finding.since
    advice = [remedies.rate(case.plan, 1 / 10), *remedies.clip(case.plan), *remedies.longer_warmup(case.plan, since)]
    return words, advice


def _overfitting(case: _Case) -> _Wording:
    worse, better = case.worse("rises", "falls"), case.worse("falls", "rises")
    words = f"{case.since}: {case.headline.eval_title} {worse}, {case.headline.train_title} {better}.{case.best}"
    useful = remedies.epochs(case.plan, case.finding.facts["epoch"])
    return words, [*useful, *remedies.dropout(case.plan), remedies.MORE_SAMPLES]


def _memorized(case: _Case) -> _Wording:
    facts, best = case.finding.facts, case.course.best
    words = f"{case.since}: {case.headline.train_title} {case.now}, so it knows its training data by heart"
    words += f"; {case.headline.eval_title} {case.fact('eval')}.{case.best}" if "eval" in facts else "."
    useful = best.epoch if best is not None else remedies.USUAL_EPOCHS if facts["epoch"] > remedies.USUAL_EPOCHS else 1
    return words, [*remedies.epochs(case.plan, useful), *remedies.dropout(case.plan), remedies.MORE_SAMPLES]


def _not_learning(case: _Case) -> _Wording:
    cause = case.finding.cause
    if cause == "no gradient":
        return f"{case.since}: the gradient is exactly 0, so no weight changes.", [remedies.signal(case.plan)]
    if cause == "trivial":
        words = f"{case.since}: {case.headline.train_title} {case.fact('now')} on unseen samples,"
        return f"{words} so almost no tokens are trained on.", [remedies.TRAIN_ON]
    now = case.now if cause == "train" else case.fact("now")
    words = f": {cause} {case.what} {now} after {count(case.course.step)} steps, {case.fact('first')}"
    return f"{words} at the start.", [remedies.usual_rate(case.plan), remedies.signal(case.plan)]


def _hardly_moves(case: _Case) -> _Wording:
    share = case.finding.facts["share"]
    seen = f"only {share:.0%}" if share >= 0.01 else "less than 1%"
    words = f": {seen} of the trained weights have changed by step {count(case.finding.since)}."
    if not remedies.holds_few_bits(case.plan):
        return words, [remedies.usual_rate(case.plan)]
    words += " Most updates are too small for bfloat16 weights and are lost."
    return words, [remedies.FLOAT32_WEIGHTS, remedies.LORA]


def _spikes(case: _Case) -> _Wording:
    facts = case.finding.facts
    words = f"{case.since}: {count(int(facts['number']))} gradients up to {facts['ratio']:.0f} times the usual norm,"
    words += f" the last at step {count(int(facts['last']))}."
    return words, [remedies.WHOLE_SAMPLES, *remedies.clip(case.plan, 0.3), remedies.rate(case.plan, 1 / 2)]


def _not_finite(case: _Case) -> _Wording:
    words = f" at step {count(case.finding.since)}: the {case.finding.cause} is NaN or infinite."
    advice = [remedies.rate(case.plan, 1 / 10), *remedies.clip(case.plan)]
    return words, [*advice, remedies.BFLOAT16] if case.plan.recipe.model.dtype == "float16" else advice


def _starved(case: _Case) -> _Wording:
    facts = case.finding.facts
    words = f"{case.since}: {_gpu(case)} is busy only {facts['busy']:.0f}% of the time"
    words += f"; the worker's CPU is at {facts['cpu']:.0f}%." if facts["cpu"] >= at.BUSY_CPU else "."
    return words, [remedies.larger_batch(case.plan), *remedies.packing(case.plan)]


def _throttled(case: _Case) -> _Wording:
    share = 100 * case.finding.facts["share"]
    words = f"{case.since}: {_gpu(case)} was slowed down by heat for {share:.0f}% of the last 2 min."
    return words, [remedies.COOLING]


def _stalled(case: _Case) -> _Wording:
    return f" at step {count(case.finding.since)}: {case.finding.cause}", []


def _failed(case: _Case) -> _Wording:
    """What ended it the state says; what was reached until then is told, for the next run."""
    why = {COMPARING: "training finished, but the comparison after it failed", LOST: "the run was killed"}
    words = f" at step {count(case.finding.since)}: {why.get(case.finding.cause, 'the run failed')}."
    if case.course.events > 1 and case.finding.cause != COMPARING:
        words += (
            f" Until then {case.headline.train_title} {case.said(statistics.fmean(case.course.start))} -> {case.now}."
        )
    return f"{words}{case.best}", []


_WORDINGS: dict[VerdictKind, Callable[[_Case], _Wording]] = {
    VerdictKind.WARMING_UP: _warming_up,
    VerdictKind.TOO_EARLY: _too_early,
    VerdictKind.HEALTHY: _healthy,
    VerdictKind.PLATEAU: _plateau,
    VerdictKind.OSCILLATING: _oscillating,
    VerdictKind.DIVERGING: _diverging,
    VerdictKind.OVERFITTING: _overfitting,
    VerdictKind.MEMORIZED: _memorized,
    VerdictKind.NOT_LEARNING: _not_learning,
    VerdictKind.SPIKES: _spikes,
    VerdictKind.HARDLY_MOVES: _hardly_moves,
    VerdictKind.NOT_FINITE: _not_finite,
    VerdictKind.STARVED: _starved,
    VerdictKind.THROTTLED: _throttled,
    VerdictKind.STALLED: _stalled,
    VerdictKind.FAILED: _failed,
}


def _gpu(case: _Case) -> str:
    facts = case.finding.facts
    return "the GPU" if facts["of"] == 1 else f"GPU {facts['gpu']:.0f}"
