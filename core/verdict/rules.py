"""The rules: each looks at the course of a run for one thing, and knows nothing of the others.

They speak of losses. What they see is the cost of the run's headline metric, whichever that is: see `Course`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from core.verdict import thresholds as at
from core.verdict.course import Course
from core.verdict.finding import Finding, RunPlan, VerdictKind
from core.verdict.measures import (
    at_its_lowest,
    beginning,
    beyond_a_stair,
    error_of_difference,
    eval_flat,
    eval_rise,
    first_above,
    has_fallen,
    last_swing,
    train_falls,
    unmoved,
    well_below,
)

Rule = Callable[[Course, RunPlan], Finding | None]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A rule and for how many judgments in a row it must find the same before that is shown."""

    rule: Rule
    hold: int = at.HOLD


def not_finite(course: Course, plan: RunPlan) -> Finding | None:
    """A loss that is no number, or gradients that stay none."""
    if course.broken is None:
        return None
    step, what = course.broken
    return Finding(VerdictKind.NOT_FINITE, step, cause=what)


def nothing_to_learn(course: Course, plan: RunPlan) -> Finding | None:
    """A train loss near zero almost at once, on samples that were never seen before; or no gradient at all."""
    if course.still >= at.TRIVIAL_EVENTS and not _learned(course):
        return Finding(VerdictKind.NOT_LEARNING, course.step, cause="no gradient")
    if course.trivial is None:
        return None
    step, loss = course.trivial
    return Finding(VerdictKind.NOT_LEARNING, step, {"now": loss}, "trivial")


def _learned(course: Course) -> bool:
    """Whether a run without a gradient has nothing left to learn: rewards that are all the same give none."""
    return not course.headline.per_token and bool(course.bins) and has_fallen(course, course.newest(*at.MEAN_OVER))


def blown_up(course: Course, plan: RunPlan) -> Finding | None:
    """A train loss that went far above its start and has not come far below it since: what the base could is lost."""
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)
    if not means:
        return None
    start, top_at = beginning(course), means.index(max(means))
    top = course.level(top_at, top_at + width)
    unsure = at.SURE * math.hypot(top.error, top.deviation / math.sqrt(len(course.start)))
    if top.mean - start <= max(at.BLOWN_UP * course.size(start), unsure) or means[-1] <= well_below(course, start):
        return None
    low_at = means.index(min(means[: top_at + 1]))
    since = first_above(course, means, width, low_at, (means[low_at] + top.mean) / 2)
    return Finding(VerdictKind.DIVERGING, since, {"low": start, "top": top.mean, "now": means[-1]}, "train, blown up")


def eval_blown_up(course: Course, plan: RunPlan) -> Finding | None:
    """The same of the eval loss; where the train loss is well and at its lowest, that is overfitting."""
    if not course.evaluations or course.evaluations[0].events:
        return None
    width = course.window(*at.MEAN_OVER)
    if at_its_lowest(course, width) and course.newest(*at.MEAN_OVER).mean <= well_below(course, beginning(course)):
        return None
    start, now = course.evaluations[0].cost, course.evaluations[-1].cost
    top = max(course.evaluations, key=lambda evaluation: evaluation.cost)
    if top.cost <= start + at.EVAL_BLOWN_UP * course.size(start) or now <= well_below(course, start):
        return None
    return Finding(VerdictKind.DIVERGING, top.step, {"low": start, "top": top.cost, "now": now}, "eval, blown up")


def diverging(course: Course, plan: RunPlan) -> Finding | None:
    """A loss that has risen from its best and stays up."""
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)
    if len(means) < 2:
        return None
    best_at = means.index(min(means))
    best, now = course.level(best_at, best_at + width), course.level(len(course.bins) - width, len(course.bins))
    limit = best.mean + max(at.RISEN * course.size(best.mean), at.SURE_OF_MANY * error_of_difference(best, now))
    if now.mean > limit:
        since = first_above(course, means, width, best_at, limit)
        return Finding(VerdictKind.DIVERGING, since, {"low": best.mean, "now": now.mean}, "train")
    risen = eval_rise(course, at.EVAL_RISEN)
    if risen is None or course.events < at.ENOUGH or train_falls(course, risen[0]):
        return None
    return Finding(VerdictKind.DIVERGING, risen[1].step, {"low": risen[0].cost, "now": risen[2].cost}, "eval")


def memorized(course: Course, plan: RunPlan) -> Finding | None:
    """A train loss near zero on samples seen again, while that on unseen ones is not: held out, or of epoch one."""
    if not course.headline.per_token or course.events < at.ENOUGH or course.bins[-1].epoch < at.SEEN_AGAIN:
        return None
    now = course.newest(5, 0.05).mean
    facts = {"now": now}
    if course.evaluations:
        unseen = facts["eval"] = course.evaluations[-1].cost
    else:
        passed = max(1, sum(bin_.epoch <= 1 for bin_ in course.bins))
        unseen = course.level(max(0, passed - course.window(5, 0)), passed).mean
    if now > at.BY_HEART or unseen < at.UNLIKE_UNSEEN * now:
        return None
    first = len(course.bins) - 1
    while first > 0 and course.means[first - 1] <= at.BY_HEART:
        first -= 1
    return Finding(VerdictKind.MEMORIZED, course.bins[first].first, {**facts, "epoch": course.bins[first].epoch})


def overfitting(course: Course, plan: RunPlan) -> Finding | None:
    """An eval loss that has risen from its best while the train loss falls."""
    shown = course.shown is VerdictKind.OVERFITTING
    risen = eval_rise(course, at.EVAL_RISE / 2 if shown else at.EVAL_RISE)
    if risen is None:
        return None
    falls = at_its_lowest(course, course.window(*at.MEAN_OVER)) if shown else train_falls(course, risen[0])
    if not falls:
        return None
    best, first, last = risen
    return Finding(VerdictKind.OVERFITTING, first.step, {"now": last.cost, "epoch": best.epoch})


def spiking(course: Course, plan: RunPlan) -> Finding | None:
    """Several gradients far above the usual one, the last of them not long ago."""
    over = course.window(*at.SPIKES_OVER) * course.width
    found = [spike for spike in course.spikes if spike.event > course.events - over]
    if len(found) < at.SPIKES:
        return None
    facts = {"number": len(found), "ratio": max(spike.ratio for spike in found), "last": found[-1].step}
    return Finding(VerdictKind.SPIKES, found[0].step, facts)


def oscillating(course: Course, plan: RunPlan) -> Finding | None:
    """A train loss that has risen and come back: steps too large to settle."""
    if course.step <= plan.warmup or course.events < at.ENOUGH:
        return None
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)

    def rises(low: int, high: int) -> bool:
        rise = means[high] - means[low]
        if rise <= at.SWING * course.size(means[low]):
            return False
        return rise > at.SURE_OF_MANY * error_of_difference(
            course.level(low, low + width), course.level(high, high + width)
        )

    swing = last_swing(means, rises)
    if swing is None:
        return None
    low, high = swing
    facts = {"low": means[low], "top": means[high]}
    return Finding(VerdictKind.OSCILLATING, course.bins[low + width].first, facts, "train")


def eval_oscillating(course: Course, plan: RunPlan) -> Finding | None:
    """The same of the eval loss."""
    if course.step <= plan.warmup or course.events < at.ENOUGH:
        return None
    losses = [evaluation.cost for evaluation in course.evaluations]
    swing = last_swing(losses, lambda low, high: losses[high] - losses[low] > at.EVAL_SWING * course.size(losses[low]))
    if swing is None:
        return None
    low, high = swing
    facts = {"low": losses[low], "top": losses[high]}
    return Finding(VerdictKind.OSCILLATING, course.evaluations[low + 1].step, facts, "eval")


def hardly_moving(course: Course, plan: RunPlan) -> Finding | None:
    """Trained weights most of which are what they were: updates too small for how the weights are held are lost."""
    if course.moved is None or course.events < at.ENOUGH:
        return None
    step, share = course.moved
    if step < plan.warmup + at.MOVED_AFTER or share >= at.HARDLY_MOVED:
        return None
    return Finding(VerdictKind.HARDLY_MOVES, step, {"share": share})


def not_learning(course: Course, plan: RunPlan) -> Finding | None:
    """A loss that is where it was before the first step, though enough steps have been made to move it."""
    warm = sum(bin_.first > plan.warmup for bin_ in course.bins) * course.width
    needed, share = at.UNMOVED_AFTER
    if warm < max(needed, round(share * (plan.events or 0))):
        return None
    first = course.evaluations[0] if course.evaluations else None
    if first is not None and first.events == 0:
        last = course.evaluations[-1]
        if last.events < needed or abs(last.cost - first.cost) > at.UNMOVED * course.size(first.cost):
            return None
        if course.headline.per_token:  # others may have the same value by accident: the training must say it as well
            return Finding(VerdictKind.NOT_LEARNING, last.step, {"first": first.cost, "now": last.cost}, "eval")
    number = len(course.bins)
    third = max(1, number // 3)
    then, now = course.level(0, third), course.level(number - third, number)
    if has_fallen(course, now) or not unmoved(course, then, now):
        return None
    return Finding(VerdictKind.NOT_LEARNING, course.step, {"first": then.mean, "now": now.mean}, "train")


def plateau(course: Course, plan: RunPlan) -> Finding | None:
    """A loss that has fallen and falls no more, while the learning rate is still high.

    Over several epochs it falls by stairs, where samples come again: level steps between them are no plateau.
    """
    number = len(course.bins)
    over = max(
        course.window(at.PLATEAU_EVENTS, at.PLATEAU_OVER),
        math.ceil(at.PLATEAU_PART * (plan.events or 0) / course.width),
        beyond_a_stair(course, plan),
    )
    first = number - over
    if first * course.width < at.ENOUGH or over < 4 or course.bins[first].first <= plan.warmup:
        return None
    if course.bins[-1].rate < at.RATE_LEFT * course.peak_rate:
        return None
    middle = first + over // 2
    then, now = course.level(first, middle), course.level(middle, number)
    if not has_fallen(course, now):
        return None
    size = course.size(then.mean)
    fall, error = (then.mean - now.mean) / size, error_of_difference(then, now) / size
    if course.evaluations:
        if not eval_flat(course, first * course.width, course.events) or abs(fall) + error > at.FLAT_BESIDE_EVAL:
            return None
    elif abs(fall) + 2 * error > at.FLAT:
        return None
    bin_ = course.bins[first]
    return Finding(VerdictKind.PLATEAU, bin_.first, {"now": now.mean, "epoch": bin_.epoch})


RULES: tuple[Ranked, ...] = (
    Ranked(not_finite, hold=1),
    Ranked(nothing_to_learn, hold=1),
    Ranked(memorized),
    Ranked(eval_blown_up, hold=1),
    Ranked(blown_up),
    Ranked(overfitting, hold=1),
    Ranked(eval_oscillating, hold=1),
    Ranked(oscillating),
    Ranked(diverging),
    Ranked(spiking, hold=1),
    Ranked(hardly_moving, hold=1),
    Ranked(not_learning),
    Ranked(plateau),
)
"""All rules on the course of the losses, the gravest first: the first that finds something is the verdict. Those
that count for themselves (evaluations, spikes, log events in a row) need no holding."""
