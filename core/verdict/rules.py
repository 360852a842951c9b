"""The rules: each looks at the course of a run for one thing, and knows nothing of the others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.verdict import thresholds as at
from core.verdict.course import Course, Evaluation, Level
from core.verdict.finding import Finding, Kind, Plan

Rule = Callable[[Course, Plan], Finding | None]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A rule and for how many judgements in a row it must find the same before that is shown."""

    rule: Rule
    hold: int = at.HOLD


def not_finite(course: Course, plan: Plan) -> Finding | None:
    """A loss that is no number, or gradients that stay none."""
    if course.broken is None:
        return None
    step, what = course.broken
    return Finding(Kind.NOT_FINITE, step, cause=what)


def nothing_to_learn(course: Course, plan: Plan) -> Finding | None:
    """A train loss near zero almost at once, on samples that were never seen before; or no gradient at all."""
    if course.still >= at.TRIVIAL_EVENTS:
        return Finding(Kind.NOT_LEARNING, course.step, cause="no gradient")
    if course.trivial is None:
        return None
    step, loss = course.trivial
    return Finding(Kind.NOT_LEARNING, step, {"loss": loss}, "trivial")


def blown_up(course: Course, plan: Plan) -> Finding | None:
    """A train loss that went far above its start and has not come far below it since: what the base could is lost."""
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)
    if not means:
        return None
    start, top_at = _start(course), means.index(max(means))
    top = course.level(top_at, top_at + width)
    unsure = at.SURE * math.hypot(top.error, top.deviation / math.sqrt(len(course.start)))
    if top.mean - start <= max(at.BLOWN_UP * start, unsure) or means[-1] <= at.BACK * start:
        return None
    low_at = means.index(min(means[: top_at + 1]))
    since = _first_above(course, means, width, low_at, (means[low_at] + top.mean) / 2)
    return Finding(Kind.DIVERGING, since, {"low": start, "top": top.mean, "now": means[-1]}, "train, blown up")


def eval_blown_up(course: Course, plan: Plan) -> Finding | None:
    """The same of the eval loss."""
    if not course.evaluations or course.evaluations[0].events:
        return None
    start, now = course.evaluations[0].loss, course.evaluations[-1].loss
    top = max(course.evaluations, key=lambda evaluation: evaluation.loss)
    if top.loss <= (1 + at.EVAL_BLOWN_UP) * start or now <= at.BACK * start:
        return None
    return Finding(Kind.DIVERGING, top.step, {"low": start, "top": top.loss, "now": now}, "eval, blown up")


def diverging(course: Course, plan: Plan) -> Finding | None:
    """A loss that has risen from its best and stays up."""
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)
    if len(means) < 2:
        return None
    best_at = means.index(min(means))
    best, now = course.level(best_at, best_at + width), course.level(len(course.bins) - width, len(course.bins))
    limit = best.mean + max(at.RISEN * best.mean, at.SURE_OF_MANY * _error_of_difference(best, now))
    if now.mean > limit:
        since = _first_above(course, means, width, best_at, limit)
        return Finding(Kind.DIVERGING, since, {"low": best.mean, "now": now.mean}, "train")
    risen = _eval_rise(course, at.EVAL_RISEN)
    if risen is None or course.events < at.ENOUGH or _train_falls(course, risen[0]):
        return None
    return Finding(Kind.DIVERGING, risen[1].step, {"low": risen[0].loss, "now": risen[2].loss}, "eval")


def memorised(course: Course, plan: Plan) -> Finding | None:
    """A train loss near zero on samples seen again, while that on unseen ones is not: held out, or of epoch one."""
    if course.events < at.ENOUGH or course.bins[-1].epoch < at.SEEN_AGAIN:
        return None
    now = course.newest(5, 0.05).mean
    facts = {"loss": now}
    if course.evaluations:
        unseen = facts["eval"] = course.evaluations[-1].loss
    else:
        passed = max(1, sum(bin_.epoch <= 1 for bin_ in course.bins))
        unseen = course.level(max(0, passed - course.window(5, 0)), passed).mean
    if now > at.BY_HEART or unseen < at.UNLIKE_UNSEEN * now:
        return None
    first = len(course.bins) - 1
    while first > 0 and course.means[first - 1] <= at.BY_HEART:
        first -= 1
    return Finding(Kind.MEMORISED, course.bins[first].first, {**facts, "epoch": course.bins[first].epoch})


def overfitting(course: Course, plan: Plan) -> Finding | None:
    """An eval loss that has risen from its best while the train loss falls."""
    shown = course.shown is Kind.OVERFITTING
    risen = _eval_rise(course, at.EVAL_RISE / 2 if shown else at.EVAL_RISE)
    if risen is None:
        return None
    falls = _at_its_lowest(course, course.window(*at.MEAN_OVER)) if shown else _train_falls(course, risen[0])
    if not falls:
        return None
    best, first, last = risen
    return Finding(Kind.OVERFITTING, first.step, {"now": last.loss, "epoch": best.epoch})


def spiking(course: Course, plan: Plan) -> Finding | None:
    """Several gradients far above the usual one, the last of them not long ago."""
    over = course.window(*at.SPIKES_OVER) * course.width
    found = [spike for spike in course.spikes if spike.event > course.events - over]
    if len(found) < at.SPIKES:
        return None
    facts = {"number": len(found), "ratio": max(spike.ratio for spike in found), "last": found[-1].step}
    return Finding(Kind.SPIKES, found[0].step, facts)


def oscillating(course: Course, plan: Plan) -> Finding | None:
    """A train loss that has risen and come back: steps too large to settle."""
    if course.step <= plan.warmup or course.events < at.ENOUGH:
        return None
    width = course.window(*at.MEAN_OVER)
    means = course.sliding(width)

    def rises(low: int, high: int) -> bool:
        rise = means[high] - means[low]
        if rise <= at.SWING * means[low]:
            return False
        return rise > at.SURE_OF_MANY * _error_of_difference(
            course.level(low, low + width), course.level(high, high + width)
        )

    swing = _swing(means, rises)
    if swing is None:
        return None
    low, high = swing
    facts = {"low": means[low], "top": means[high]}
    return Finding(Kind.OSCILLATING, course.bins[low + width].first, facts, "train")


def eval_oscillating(course: Course, plan: Plan) -> Finding | None:
    """The same of the eval loss."""
    if course.step <= plan.warmup or course.events < at.ENOUGH:
        return None
    losses = [evaluation.loss for evaluation in course.evaluations]
    swing = _swing(losses, lambda low, high: losses[high] - losses[low] > at.EVAL_SWING * losses[low])
    if swing is None:
        return None
    low, high = swing
    facts = {"low": losses[low], "top": losses[high]}
    return Finding(Kind.OSCILLATING, course.evaluations[low + 1].step, facts, "eval")


def not_learning(course: Course, plan: Plan) -> Finding | None:
    """A loss that is where it was before the first step, though enough steps have been made to move it."""
    warm = sum(bin_.first > plan.warmup for bin_ in course.bins) * course.width
    needed, share = at.UNMOVED_AFTER
    if warm < max(needed, round(share * (plan.events or 0))):
        return None
    first = course.evaluations[0] if course.evaluations else None
    if first is not None and first.events == 0:
        last = course.evaluations[-1]
        if last.events < needed or abs(last.loss - first.loss) > at.UNMOVED * first.loss:
            return None
        return Finding(Kind.NOT_LEARNING, last.step, {"first": first.loss, "now": last.loss}, "eval")
    number = len(course.bins)
    third = max(1, number // 3)
    then, now = course.level(0, third), course.level(number - third, number)
    if abs(now.mean - then.mean) + _error_of_difference(then, now) > at.UNMOVED_TRAIN * then.mean:
        return None
    if _start(course) - now.mean > at.FALLEN * _start(course):
        return None
    return Finding(Kind.NOT_LEARNING, course.step, {"first": then.mean, "now": now.mean}, "train")


def plateau(course: Course, plan: Plan) -> Finding | None:
    """A loss that has fallen and falls no more, while the learning rate is still high."""
    number = len(course.bins)
    over = max(
        course.window(at.PLATEAU_EVENTS, at.PLATEAU_OVER),
        math.ceil(at.PLATEAU_PART * (plan.events or 0) / course.width),
    )
    first = number - over
    if first * course.width < at.ENOUGH or over < 4 or course.bins[first].first <= plan.warmup:
        return None
    if course.bins[-1].rate < at.RATE_LEFT * course.peak_rate:
        return None
    middle = first + over // 2
    then, now = course.level(first, middle), course.level(middle, number)
    if _start(course) - now.mean < at.FALLEN * _start(course):
        return None
    fall, error = (then.mean - now.mean) / then.mean, _error_of_difference(then, now) / then.mean
    if course.evaluations:
        if not _eval_flat(course, first * course.width, course.events) or abs(fall) + error > at.FLAT_BESIDE_EVAL:
            return None
    elif abs(fall) + 2 * error > at.FLAT:
        return None
    bin_ = course.bins[first]
    return Finding(Kind.PLATEAU, bin_.first, {"loss": now.mean, "epoch": bin_.epoch})


RULES: tuple[Ranked, ...] = (
    Ranked(not_finite, hold=1),
    Ranked(nothing_to_learn, hold=1),
    Ranked(memorised),
    Ranked(eval_blown_up, hold=1),
    Ranked(blown_up),
    Ranked(overfitting, hold=1),
    Ranked(eval_oscillating, hold=1),
    Ranked(oscillating),
    Ranked(diverging),
    Ranked(spiking, hold=1),
    Ranked(not_learning),
    Ranked(plateau),
)
"""All rules on the course of the losses, the gravest first: the first that finds something is the verdict. Those
that count for themselves (evaluations, spikes, log events in a row) need no holding."""


def _start(course: Course) -> float:
    return statistics.fmean(course.start)


def _error_of_difference(one: Level, other: Level) -> float:
    return math.hypot(one.error, other.error)


def _first_above(course: Course, means: Sequence[float], width: int, begin: int, limit: float) -> int:
    """The step in the middle of the first window, from one on, whose mean is above a limit."""
    found = next((n for n in range(begin, len(means)) if means[n] > limit), len(means) - 1)
    return course.bins[found + width // 2].first


def _eval_flat(course: Course, first: int, end: int) -> bool:
    """Whether the eval losses of a stretch of log events lie on a line that does not fall; no, if too few tell."""
    found = [evaluation for evaluation in course.evaluations if first <= evaluation.events <= end]
    if len(found) < at.EVALS_FOR_A_LINE or found[0].events == found[-1].events:
        return False
    events, losses = [evaluation.events for evaluation in found], [evaluation.loss for evaluation in found]
    slope, start = statistics.linear_regression(events, losses)
    mean = statistics.fmean(losses)
    off = max(abs(loss - start - slope * n) for n, loss in zip(events, losses, strict=True))
    return abs(slope) * (end - first) <= at.FLAT_EVAL * mean and off <= at.EVAL_SWING / 2 * mean


def _eval_rise(course: Course, share: float) -> tuple[Evaluation, Evaluation, Evaluation] | None:
    """The best evaluation, the first after it and the newest, if the last are all worse by this share."""
    best = course.best
    if best is None:
        return None
    after = [evaluation for evaluation in course.evaluations if evaluation.step > best.step]
    last = after[-at.EVAL_RISES :]
    if len(last) < at.EVAL_RISES or min(evaluation.loss for evaluation in last) <= (1 + share / 2) * best.loss:
        return None
    return (best, after[0], last[-1]) if last[-1].loss >= (1 + share) * best.loss else None


def _train_falls(course: Course, since: Evaluation) -> bool:
    """Whether the train loss has fallen since an evaluation, to the lowest it ever was."""
    first, end = since.events // course.width, len(course.bins)
    width = min(course.window(*at.MEAN_OVER), (end - first) // 2)
    if width < 1 or not _at_its_lowest(course, width):
        return False
    then, now = course.level(first, first + width), course.level(end - width, end)
    return then.mean - now.mean > max(at.TRAIN_FALL * then.mean, _error_of_difference(then, now))


def _at_its_lowest(course: Course, width: int) -> bool:
    """Whether the newest train loss is the lowest, but for its noise."""
    now, lowest = course.level(len(course.bins) - width, len(course.bins)), min(course.sliding(width))
    return now.mean <= lowest + max(at.TRAIN_FALL * lowest, at.SURE * now.error)


def _swing(values: Sequence[float], rises: Callable[[int, int], bool]) -> tuple[int, int] | None:
    """Positions of low and top of the last swing: up from a low, and half the way back.

    A single one is forgotten once values have fallen as far below its low; of several, the last must not be long ago.
    """
    found: list[tuple[int, int, int]] = []
    low = high = 0
    for n, value in enumerate(values):
        rise = values[high] - values[low]
        if rise > 0 and values[high] - value >= rise / 2 and rises(low, high):
            found.append((low, high, n))
            low = high = n
        elif value < values[low]:
            low = high = n
        elif value > values[high]:
            high = n
    if not found:
        return None
    low, high, end = found[-1]
    left = min(values[end:]) < values[low] - (values[high] - values[low]) / 2
    return None if left and (len(found) == 1 or end < len(values) / 2) else (low, high)
