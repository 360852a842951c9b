"""What the rules measure on the course of a run: where it began, what rose or fell, and what is no more than noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

from core.verdict import thresholds as at
from core.verdict.course import Course, EvalPoint, Level
from core.verdict.finding import RunPlan


def beginning(course: Course) -> float:
    """The train cost at the start."""
    return statistics.fmean(course.start)


def has_fallen(course: Course, now: Level) -> bool:
    """Whether the train cost is far below its start; where it is no loss per token, also beyond the start's noise."""
    fall = beginning(course) - now.mean
    unsure = 0.0 if course.headline.per_token else at.SURE * now.deviation / math.sqrt(len(course.start))
    return fall >= max(at.FALLEN * course.size(beginning(course)), unsure) and fall > 0


def well_below(course: Course, start: float) -> float:
    """The cost at which a run that has blown up is well again."""
    return start - (1 - at.BACK) * course.size(start)


def unmoved(course: Course, then: Level, now: Level) -> bool:
    """Whether the train cost is where it was.

    A reward scatters so much that only many of them tell: then it must not be seen to move, and cannot have moved far.
    """
    size, change, error = course.size(then.mean), abs(now.mean - then.mean), error_of_difference(then, now)
    if change + error <= at.UNMOVED_TRAIN * size:
        return True
    return not course.headline.per_token and change <= 2 * error and change + error <= at.UNMOVED_SCATTERED * size


def error_of_difference(one: Level, other: Level) -> float:
    """The standard error of the difference of two means."""
    return math.hypot(one.error, other.error)


def first_above(course: Course, means: Sequence[float], width: int, begin: int, limit: float) -> int:
    """The step in the middle of the first window, from one on, whose mean is above a limit."""
    found = next((n for n in range(begin, len(means)) if means[n] > limit), len(means) - 1)
    return course.bins[found + width // 2].first


def beyond_a_stair(course: Course, plan: RunPlan) -> int:
    """Bins of the last epochs that hold a stair in their middle, of all while there are none; 0 in one epoch."""
    if not course.bins:
        return 0
    last = course.bins[-1]
    whole = last.epoch * plan.steps / last.last if plan.steps and last.last else plan.recipe.training.epochs
    if whole <= at.ONE_EPOCH:
        return 0
    return sum(bin_.epoch > last.epoch - at.STAIR for bin_ in course.bins)


def eval_flat(course: Course, first: int, end: int) -> bool:
    """Whether the evaluations of a stretch of log events lie on a line that does not fall; no, if too few tell."""
    found = [evaluation for evaluation in course.evaluations if first <= evaluation.events <= end]
    if len(found) < at.EVALS_FOR_A_LINE or found[0].events == found[-1].events:
        return False
    events, costs = [evaluation.events for evaluation in found], [evaluation.cost for evaluation in found]
    slope, origin = statistics.linear_regression(events, costs)
    size = course.size(statistics.fmean(costs))
    off = max(abs(cost - origin - slope * n) for n, cost in zip(events, costs, strict=True))
    return abs(slope) * (end - first) <= at.FLAT_EVAL * size and off <= at.EVAL_SWING / 2 * size


def eval_rise(course: Course, share: float) -> tuple[EvalPoint, EvalPoint, EvalPoint] | None:
    """The best evaluation, the first after it and the newest, if the last are all worse by this share."""
    best = course.best
    if best is None:
        return None
    after = [evaluation for evaluation in course.evaluations if evaluation.step > best.step]
    last = after[-at.EVAL_RISES :]
    size = course.size(best.cost)
    if len(last) < at.EVAL_RISES or min(evaluation.cost for evaluation in last) <= best.cost + share / 2 * size:
        return None
    return (best, after[0], last[-1]) if last[-1].cost >= best.cost + share * size else None


def train_falls(course: Course, since: EvalPoint) -> bool:
    """Whether the train cost has fallen since an evaluation, to the lowest it ever was."""
    first, end = since.events // course.width, len(course.bins)
    width = min(course.window(*at.MEAN_OVER), (end - first) // 2)
    if width < 1 or not at_its_lowest(course, width):
        return False
    then, now = course.level(first, first + width), course.level(end - width, end)
    return then.mean - now.mean > max(at.TRAIN_FALL * course.size(then.mean), error_of_difference(then, now))


def at_its_lowest(course: Course, width: int) -> bool:
    """Whether the newest train cost is the lowest, but for its noise; over all there is where that is less."""
    width = min(width, len(course.bins))
    if width < 1:
        return False
    now, lowest = course.level(len(course.bins) - width, len(course.bins)), min(course.sliding(width))
    return now.mean <= lowest + max(at.TRAIN_FALL * course.size(lowest), at.SURE * now.error)


def last_swing(values: Sequence[float], rises: Callable[[int, int], bool]) -> tuple[int, int] | None:
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
