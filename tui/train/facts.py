"""The step line of the live screen: how far the run is, when it will be done, what it has seen, used and cost."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise

from core import timestamps
from core.units import clock, count, duration, percent, short_count, significant
from tui.live.run import MOMENT, LiveRun
from tui.settings import UserSettings
from tui.widgets.facts import Fact

STRETCHES = 8
"""Equal stretches of the recent past whose paces tell how sure the end is."""

FEWEST = 16
"""Log events below which nothing is said about how sure it is."""

_QUIET, _TIMES = 60.0, 10.0
"""Seconds without a log event, and times the usual distance of two, from which somebody should look."""

_SLACK = 1e-6
"""Part of a unit that is none: sums of floats are not exact."""


def facts(run: LiveRun, now: float, settings: UserSettings | None = None) -> list[Fact]:
    """Step, part, time left with its spread, epoch, throughput, tokens, best evaluation, energy, cost; its time.

    What matters most stands first. While it runs, the header has its clock.

    Args:
        run: what was read of the run.
        now: unix seconds.
        settings: the user's, for the price.
    """
    update = run.update
    if update is None:
        return []
    status = update.status
    step, of = run.progress()
    found: list[Fact] = []
    if step is not None:
        total = count(of) if of else ""
        found.append(Fact("step", "step", f"{count(step):>{len(total)}}", f"of {total}" if of else "", "strong"))
    if step is not None and of and not update.over:
        found.append(Fact("part", "", percent(step / of).rjust(4)))
    left = seconds_left(run, now)
    if left is not None:
        span = span_left(run, now)
        if span is not None:  # the trainer's pace is of few steps, and leaves out what comes between steps
            left = min(max(left, span[0]), span[1])
        sure = span_words(*span) if span is not None else ""
        found.append(Fact("eta", "done in", _changing_seldom(left), f"({sure})" if sure else "", "strong"))
    quiet = quiet_for(run)
    if quiet is not None:
        found.append(
            Fact("quiet", "nothing logged for", duration(quiet // 60 * 60).removesuffix(" 00 s"), "", "strong")
        )
    epoch = run.last("epoch")
    if epoch is not None:
        found.append(Fact("epoch", "epoch", f"{epoch:.2f}"))
    speed = run.last("tokens_per_second")
    if speed is not None and not update.over:
        found.append(Fact("speed", "", short_count(speed), "tokens/s"))
    tokens = run.last("num_tokens")
    if tokens is not None:
        found.append(Fact("tokens", "", short_count(tokens), "tokens seen"))
    best = None if run.partial else run.best()
    if best is not None:
        base = best[0] == 0  # measured before the first step: the lists of runs count evaluations after one only
        alone = base and len(run.evaluations) == 1
        place = "before training" if base else f"at step {count(round(best[0]))}"
        found.append(Fact("best", "eval" if alone else "best eval", significant(best[1], 4), place))
    elapsed = status.seconds(None if update.over else now)
    if elapsed is not None:
        found += _used(run, elapsed, settings or UserSettings())
        if update.over:
            found.append(Fact("elapsed", "took", clock(elapsed)))
    return found


def _used(run: LiveRun, elapsed: float, settings: UserSettings) -> list[Fact]:
    found: list[Fact] = []
    energy = run.gpus.watt_hours
    if energy is not None and not run.partial:
        found.append(Fact("energy", "", *_energy_words(energy)))
    if settings.price_per_hour is not None:
        cost = settings.price_per_hour * elapsed / 3600
        found.append(Fact("cost", "cost", f"{cost:.2f}", settings.currency))
    return found


def _energy_words(watt_hours: float) -> tuple[str, str]:
    """Energy with a digit that changes once in a few seconds at most."""
    if watt_hours >= 1000:
        return f"{watt_hours / 1000:.2f}", "kWh"
    return (f"{watt_hours:.0f}", "Wh") if watt_hours >= 10 else (f"{watt_hours:.1f}", "Wh")


def seconds_left(run: LiveRun, now: float) -> float | None:
    """Seconds to the end as the trainer reckoned them last, less what has passed since; None when it does not train."""
    update = run.update
    if update is None or run.eta is None:
        return None
    if update.state != "running" or update.status.phase not in ("training", "evaluating") or update.status.stage:
        return None
    eta, moment = run.eta
    return max(0.0, eta - _since(run, moment, now))


def quiet_for(run: LiveRun) -> float | None:
    """Seconds in which a training logged nothing, by the keeper's clock, where that is far longer than usual.

    Whatever happens in between (it resumed after a pause, an evaluation or a checkpoint is done) counts as a sign.

    A rank that waits for another for ever, or a disk that does not answer, ends no process.
    """
    update, moments = run.update, run.series(MOMENT)
    if update is None or update.state != "running" or update.status.phase != "training" or not len(moments):
        return None
    if update.status.stage or update.status.heartbeat is None:
        return None
    event_at = timestamps.seconds(run.events[-1].get("t")) if run.events else None
    newest = max(moments.y[-1], event_at or 0.0)
    quiet, usual = update.status.heartbeat - newest, _usual_distance(run)
    return quiet if usual is not None and quiet >= max(_QUIET, _TIMES * usual) else None


def _usual_distance(run: LiveRun) -> float | None:
    """The median of the seconds between the last log events; None while there are too few."""
    distances = sorted(b - a for a, b in pairwise(run.series(MOMENT).y[-FEWEST:]) if b > a)
    return distances[len(distances) // 2] if len(distances) > 1 else None


def _since(run: LiveRun, moment: float, now: float) -> float:
    """Seconds that have passed since a log event, as long as the next one is not overdue: then the end waits, too."""
    usual = _usual_distance(run)
    return now - moment if usual is None else min(now - moment, usual)


def span_left(run: LiveRun, now: float) -> tuple[float, float] | None:
    """Seconds to the end at least and at most: at the pace of the faster and of the slower of the recent stretches.

    The last half of the steps since the run began, or since it was resumed, is cut into `STRETCHES` of equal length.
    Their paces' quartiles, times the steps that are left, give the span; None while there are too few log events.
    """
    step, of = run.progress()
    moments = run.series(MOMENT)
    begun = 0 if run.resumed is None else bisect_left(moments.y, run.resumed)
    if not step or not of or len(moments) - begun < FEWEST:
        return None
    first, last = (begun + len(moments)) // 2, len(moments) - 1
    marks = [first + (last - first) * number // STRETCHES for number in range(STRETCHES + 1)]
    paces = sorted(
        (moments.y[b] - moments.y[a]) / (moments.x[b] - moments.x[a])
        for a, b in pairwise(marks)
        if moments.x[b] > moments.x[a]
    )
    if len(paces) < STRETCHES // 2:
        return None
    since = max(0.0, _since(run, moments.y[last], now))
    early, late = (max(0.0, paces[at] * (of - step) - since) for at in (len(paces) // 4, -1 - len(paces) // 4))
    return early, late


def span_words(early: float, late: float) -> str:
    """From when to when, both to the same unit, so that it changes seldom; "" where the two say the same."""
    unit = 10 if late < 60 else 60 if late < 3600 else 300 if late < 86_400 else 3600
    if round(early / unit) == round(late / unit):
        return ""
    words = duration(math.floor(early / unit + _SLACK) * unit), duration(math.ceil(late / unit - _SLACK) * unit)
    short = [one.replace(" min 00 s", " min").replace(" d 00 h", " d").replace(" h 00 min", " h") for one in words]
    return " to ".join(short)


def _changing_seldom(seconds: float) -> str:
    """A span of time; from five minutes on without the seconds, which nobody waits for."""
    return duration(seconds) if seconds < 300 or seconds >= 3600 else f"{round(seconds / 60)} min"
