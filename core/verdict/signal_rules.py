"""Rules on what a task logs beside its headline: pairs in the right order, log-probabilities, lengths, KL, rewards.

A headline can look well while the model gets worse: these see it. A task without the signal is not judged by them.
"""

from __future__ import annotations

import math

from core.verdict import thresholds as at
from core.verdict.course import Course
from core.verdict.finding import Finding, RunPlan, VerdictKind
from core.verdict.measures import has_fallen
from core.verdict.signals import SignalTrack


def at_chance(course: Course, plan: RunPlan) -> Finding | None:
    """Pairs that were never trained on are in the right order no more often than by chance.

    Without an eval set: those of the first epoch, while their headline is no better than at the start.
    """
    track = course.signals.one("accuracy")
    if track is None or not _late(course, plan):
        return None
    held_out = [value for step, value in track.held_out if step > plan.warmup and step > 0]
    if held_out:
        newest = held_out[-at.CHANCE_EVALS :]
        now = sum(newest) / len(newest)
        if len(newest) < at.CHANCE_EVALS or now > at.CHANCE:
            return None
        return Finding(VerdictKind.AT_CHANCE, course.step, {"accuracy": now}, "eval")
    if course.evaluations or course.bins[-1].epoch > at.ONE_EPOCH:
        return None
    now = _newest(course, track)
    if now is None or now > at.CHANCE or has_fallen(course, course.newest(*at.MEAN_OVER)):
        return None
    return Finding(VerdictKind.AT_CHANCE, course.step, {"accuracy": now}, "train")


def sinking(course: Course, plan: RunPlan) -> Finding | None:
    """Both answers have become far less likely: the margin grows while the model unlearns the chosen one, too."""
    chosen, rejected = course.signals.one("chosen"), course.signals.one("rejected")
    if chosen is None or rejected is None or course.events < at.ENOUGH:
        return None
    facts: dict[str, float] = {}
    for name, track in (("chosen", chosen), ("rejected", rejected)):
        pair = _then_and_now(course, track)
        if pair is None:
            return None
        then, now = pair
        if now > then - at.SUNK * max(abs(then), 1.0):
            return None
        facts |= {name: now, f"{name}_first": then}
    return Finding(VerdictKind.SINKING, course.step, facts)


def kl_blown_up(course: Course, plan: RunPlan) -> Finding | None:
    """The model has left its reference far behind."""
    track = course.signals.one("kl")
    if track is None or course.events < at.ENOUGH:
        return None
    now = _newest(course, track)
    if now is None or now < at.KL_LARGE:
        return None
    middle = track.mean(0, max(1, len(course.bins) // 2))
    if middle is not None and now < at.KL_GROWN * middle:
        return None
    return Finding(VerdictKind.KL_BLOWN_UP, _since(course, track, at.KL_LARGE), {"now": now})


def length_collapsed(course: Course, plan: RunPlan) -> Finding | None:
    """Generated answers have become a fraction of what they were."""
    track = course.signals.one("length")
    if track is None or course.events < at.ENOUGH or track.began is None:
        return None
    now = _newest(course, track)
    if now is None or now > at.COLLAPSED * track.began:
        return None
    facts = {"now": now, "first": track.began}
    return Finding(VerdictKind.LENGTH_COLLAPSED, _since(course, track, at.COLLAPSED * track.began, above=False), facts)


def never_ending(course: Course, plan: RunPlan) -> Finding | None:
    """Nearly all answers are cut off at the longest length that is generated, and were not at first."""
    track = course.signals.one("truncated")
    if track is None or course.events < at.ENOUGH or track.began is None:
        return None
    now = _newest(course, track)
    if now is None or now < at.CUT_OFF or track.began > at.CUT_OFF_AT_FIRST:
        return None
    facts = {"now": now, "first": track.began}
    return Finding(VerdictKind.NEVER_ENDING, _since(course, track, at.CUT_OFF), facts)


def hacked(course: Course, plan: RunPlan) -> Finding | None:
    """The sum of the rewards rises while one of them falls: what is easy to please is pleased at its cost."""
    if course.events < at.ENOUGH or not course.bins or not has_fallen(course, course.newest(*at.MEAN_OVER)):
        return None
    for name, track in course.signals.all("part"):
        began, now = track.began, _newest(course, track)
        if began is None or now is None or now > began - at.PART_LOST * max(abs(began), at.PART_LEAST):
            continue
        return Finding(VerdictKind.HACKED, course.step, {"now": now, "first": began}, name)
    return None


def _late(course: Course, plan: RunPlan) -> bool:
    """Whether enough steps with a learning rate have been made to show anything."""
    needed, share = at.UNMOVED_AFTER
    warm = sum(bin_.first > plan.warmup for bin_ in course.bins) * course.width
    return warm >= max(needed, round(share * (plan.events or 0)))


def _newest(course: Course, track: SignalTrack) -> float | None:
    """The mean over the newest window of the course."""
    width = course.window(*at.MEAN_OVER_SIGNAL)
    return track.mean(max(0, len(course.bins) - width), len(course.bins))


def _then_and_now(course: Course, track: SignalTrack) -> tuple[float, float] | None:
    """Where a signal began, and where it is: on the eval set, whose samples are always the same, if there is one."""
    if len(track.held_out) > 1:
        return track.held_out[0][1], track.held_out[-1][1]
    now = _newest(course, track)
    return None if course.evaluations or now is None or track.began is None else (track.began, now)


def _since(course: Course, track: SignalTrack, limit: float, *, above: bool = True) -> int:
    """The first step of the newest bins that are all beyond a limit."""
    since = course.step
    for place in range(len(course.bins) - 1, -1, -1):
        value = track.mean(place, place + 1)
        if value is None or math.isnan(value) or (value < limit if above else value > limit):
            break
        since = course.bins[place].first
    return since
