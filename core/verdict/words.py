"""Sentences: what a finding says to the person at the keyboard. Two lines of 80 cells, advice included."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

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
        return significant(self.headline.cost(cost))

    def fact(self, name: str) -> str:
        """A cost of the finding, as people read the metric."""
        return self.said(self.finding.facts[name])

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


def _too_short(case: _Case) -> _Wording:
    seen, step, warmup = case.course.events, case.course.step, case.plan.warmup
    missing: list[str] = []
    if seen < at.ENOUGH:
        there = f"there {'is' if seen == 1 else 'are'} {count(seen)}"
        missing.append(f"a verdict takes {at.ENOUGH} points of {case.headline.train_title}, {there}")
    if step < warmup:
        missing.append(f"the warmup ends at step {count(warmup)}, the run is at {count(step)}")
    few = seen < at.ENOUGH and case.plan.recipe.training.log_every > 1
    return f": {'; '.join(missing)}.", [remedies.EVERY_STEP] if few else []


def _healthy(case: _Case) -> _Wording:
    course = case.course
    now = course.newest(5, 0.05).mean
    words = f": {case.headline.train_title} {case.said(statistics.fmean(course.start))} -> {case.said(now)}"
    evaluations = course.evaluations
    if not evaluations:
        return f"{words}. Without eval data, overfitting cannot be seen.", [remedies.EVAL_DATA]
    if len(evaluations) > 1:
        first, last = case.said(evaluations[0].cost), case.said(evaluations[-1].cost)
        words += f", {case.headline.eval_title} {first} -> {last}"
    newest_is_best = course.best is evaluations[-1]
    return f"{words}." if newest_is_best else f"{words}.{case.best}", []


def _plateau(case: _Case) -> _Wording:
    words = (
        f"{case.since}: {case.headline.train_title} stays at {case.fact('now')} though the learning rate is still high."
    )
    words += case.best
    useful = case.finding.facts["epoch"]
    return words, [
        *remedies.epochs(case.plan, useful),
        remedies.rate(case.plan, 2),
        *remedies.rank(case.plan),
    ]


def _oscillating(case: _Case) -> _Wording:
    words = f"{case.since}: {case.finding.cause} {case.what} went from {case.fact('low')} {case.worse('up', 'down')} to"
    words += f" {case.fact('top')} and back."
    return words, [remedies.rate(case.plan, 1 / 3), remedies.accumulation(case.plan)]


def _diverging(case: _Case) -> _Wording:
    what, _, blown_up = case.finding.cause.partition(", ")
    if blown_up:
        words = f"{case.since}: {what} {case.what} went from {case.fact('low')} {case.worse('up', 'down')} to"
        words += f" {case.fact('top')};"
        low = case.finding.facts["low"]
        back = case.finding.facts["now"] <= low + at.EVAL_BLOWN_UP * case.course.size(low)
        words += f" now {case.fact('now')}{', about where it started' if back else ''}."
    else:
        words = f"{case.since}: {what} {case.what} {case.worse('rose', 'fell')} from {case.fact('low')} to"
        words += f" {case.fact('now')} and stays {case.worse('up', 'down')}."
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
    words = f"{case.since}: {case.headline.train_title} {case.fact('now')}, the samples are known by heart"
    words += f"; {case.headline.eval_title} {case.fact('eval')}.{case.best}" if "eval" in facts else "."
    useful = best.epoch if best is not None else remedies.USUAL_EPOCHS if facts["epoch"] > remedies.USUAL_EPOCHS else 1
    return words, [*remedies.epochs(case.plan, useful), *remedies.dropout(case.plan), remedies.MORE_SAMPLES]


def _not_learning(case: _Case) -> _Wording:
    cause = case.finding.cause
    if cause == "no gradient":
        return f"{case.since}: the gradient is exactly 0, so no weight moves.", [remedies.signal(case.plan)]
    if cause == "trivial":
        words = f"{case.since}: {case.headline.train_title} {case.fact('now')} on unseen samples,"
        return f"{words} so next to nothing carries loss.", [remedies.LOSS_MASK]
    words = f": {cause} {case.what} {case.fact('now')} after {count(case.course.step)} steps, {case.fact('first')}"
    return f"{words} at the start.", [remedies.usual_rate(case.plan), remedies.signal(case.plan)]


def _spikes(case: _Case) -> _Wording:
    facts = case.finding.facts
    words = f"{case.since}: {count(int(facts['number']))} gradients up to {facts['ratio']:.0f} times the usual norm,"
    words += f" the last at step {count(int(facts['last']))}."
    return words, [remedies.WHOLE_SAMPLES, *remedies.clip(case.plan, 0.3), remedies.rate(case.plan, 1 / 2)]


def _not_finite(case: _Case) -> _Wording:
    words = f" at step {count(case.finding.since)}: the {case.finding.cause} is no number any more."
    advice = [remedies.rate(case.plan, 1 / 10), *remedies.clip(case.plan)]
    return words, [*advice, remedies.BFLOAT16] if case.plan.recipe.model.dtype == "float16" else advice


def _starved(case: _Case) -> _Wording:
    facts = case.finding.facts
    words = f"{case.since}: {_gpu(case)} works {facts['busy']:.0f} % of the time"
    words += f"; the worker's CPU is at {facts['cpu']:.0f} %." if facts["cpu"] >= at.BUSY_CPU else ", else it waits."
    return words, [remedies.larger_batch(case.plan), *remedies.packing(case.plan)]


def _throttled(case: _Case) -> _Wording:
    share = 100 * case.finding.facts["share"]
    words = f"{case.since}: heat held the clocks of {_gpu(case)} down {share:.0f} % of the last 2 min."
    return words, [remedies.COOLING]


_WORDINGS: dict[VerdictKind, Callable[[_Case], _Wording]] = {
    VerdictKind.WARMING_UP: _warming_up,
    VerdictKind.TOO_SHORT: _too_short,
    VerdictKind.HEALTHY: _healthy,
    VerdictKind.PLATEAU: _plateau,
    VerdictKind.OSCILLATING: _oscillating,
    VerdictKind.DIVERGING: _diverging,
    VerdictKind.OVERFITTING: _overfitting,
    VerdictKind.MEMORIZED: _memorized,
    VerdictKind.NOT_LEARNING: _not_learning,
    VerdictKind.SPIKES: _spikes,
    VerdictKind.NOT_FINITE: _not_finite,
    VerdictKind.STARVED: _starved,
    VerdictKind.THROTTLED: _throttled,
}


def _gpu(case: _Case) -> str:
    facts = case.finding.facts
    return "the GPU" if facts["of"] == 1 else f"GPU {facts['gpu']:.0f}"
