"""Whether a run has stalled: its worker lives and makes no step, or no progress with what it does between steps.

The keeper looks once a second, so this works with nobody watching. Only seconds in which it looked count: while the
machine was suspended, or the keeper stopped, nothing was seen and nothing is concluded.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.jobs.status import RUNNING, STOPPING, Status
from core.units import count, duration

STEPS = 50
"""Steps whose median is the usual time of one."""
TIMES = 10
"""Times the usual step after which a step that does not end is a stall."""
SHORTEST = 300.0
"""Seconds that this is at least."""
OTHERS = 900.0
"""Seconds without any progress for what is no step: evaluating, generating, saving, and the first step of all."""
LONGEST_LOOK = 5.0
"""Seconds that one look can add: between looks that lie further apart, this process itself was stopped."""
REPEAT = 60.0
"""Seconds between two writings of how long it has lasted."""

TRAINING = "training"
WATCHED = (TRAINING, "evaluating", "saving")
"""Phases in which a worker must make progress. Loading may wait for a network or a disk, as long as that takes."""
FIELD = "stalled"
"""The field of `status.json` that says it: `Stall.to_json`, or null."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A stall as it is written.

    Attributes:
        step: optimizer steps done, or of another stage what it counts.
        seconds: without progress so far.
        activity: what makes none: "" for a step, `evaluating`, `generating`, `saving`.
        usual: seconds of a usual step; None where none was seen.
        stopped: pids of the run's processes that a signal has stopped.
    """

    step: int
    seconds: float
    activity: str = ""
    usual: float | None = None
    stopped: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For `status.json` and `events.jsonl`."""
        return {
            "step": self.step,
            "seconds": round(self.seconds),
            "activity": self.activity,
            "usual": None if self.usual is None else round(self.usual, 3),
            "stopped": list(self.stopped),
        }

    def words(self) -> str:
        """What is seen, as a sentence without its end: `no step for 6:12 min (usually 1.2 s)`."""
        for_long = duration(self.seconds)
        if self.activity:
            return f"no progress for {for_long} while {self.activity}"
        usual = "" if self.usual is None else f" (usually {_short(self.usual)})"
        return f"no step for {for_long}{usual}"

    def remedy(self) -> str:
        """What to do, as a sentence."""
        if self.stopped:
            pids = " ".join(map(str, self.stopped))
            return f"Its process was suspended by a signal. To continue it: kill -CONT {pids}."
        return "If it stays stalled, stop it now and resume it from the last checkpoint."


def from_json(value: object) -> Stall | None:
    """The `Stall` from its `to_json`; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    step, seconds, usual, stopped = value.get("step"), value.get("seconds"), value.get("usual"), value.get("stopped")
    if not isinstance(step, int) or not isinstance(seconds, int | float):
        return None
    return Stall(
        step,
        float(seconds),
        str(value.get("activity") or ""),
        float(usual) if isinstance(usual, int | float) else None,
        tuple(pid for pid in stopped if isinstance(pid, int)) if isinstance(stopped, list) else (),
    )


def stall_of(status: Status) -> Stall | None:
    """What a reading of `status.json` says; None where the run moves, or has moved since that was written."""
    return from_json(status.fields.get(FIELD)) if status.stalled else None


@dataclass(frozen=True, slots=True)
class StallChange:
    """What is to be written now.

    Attributes:
        stall: what is seen; None where it is over.
        news: whether it has just begun or ended; else only its length has changed.
        lasted: seconds that it has lasted, where it is over.
    """

    stall: Stall | None
    news: bool
    lasted: float = 0.0


class StallWatch:
    """Looks at the status of a run again and again.

    Args:
        saved: bytes that a save has written so far; asked now and then while nothing else moves.
        stopped: pids of the run's processes that a signal has stopped.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        saved: Callable[[], int] = lambda: 0,
        stopped: Callable[[Status], tuple[int, ...]] = lambda status: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._saved = saved
        self._stopped = stopped
        self._clock = clock
        self._looked: float | None = None
        self._quiet = 0.0
        self._mark: tuple[object, ...] = ()
        self._step: int | None = None
        self._usual: deque[float] = deque(maxlen=STEPS)
        self._bytes = 0
        self._asked_at = 0.0
        self._stall: Stall | None = None
        self._written = 0.0

    def look(self, status: Status, *, blind: bool = False) -> StallChange | None:
        """What is to be written now; None for nothing.

        Args:
            status: read just now.
            blind: whether the run could move without this being seen: its folder cannot be read or written.
        """
        now = self._clock()
        passed = 0.0 if self._looked is None or blind else min(now - self._looked, LONGEST_LOOK)
        self._looked = now
        if blind:
            return None
        if status.state not in (RUNNING, STOPPING) or status.phase not in WATCHED:
            self._step, self._mark = None, ()
            return self._moved()
        self._quiet += passed
        step = status.step or 0
        activity = _activity(status)
        mark = (status.stage, status.phase, activity, step, *(_signs(status) if activity else ()))
        if mark != self._mark:
            self._count(step, activity)
            self._mark, self._bytes = mark, 0
            return self._moved()
        if activity and self._quiet > self._asked_at + SHORTEST / 10 and self._writes():
            return self._moved()
        usual = sorted(self._usual)[len(self._usual) // 2] if self._usual else None
        limit = OTHERS if activity or usual is None else max(SHORTEST, TIMES * usual)
        if self._quiet <= limit:
            return None
        begins = self._stall is None
        if not begins and self._quiet < self._written + REPEAT:
            return None
        self._written = self._quiet
        self._stall = Stall(step, self._quiet, activity, None if activity else usual, self._stopped(status))
        return StallChange(self._stall, news=begins)

    def _count(self, step: int, activity: str) -> None:
        """A step that came after another, with nothing else between them, says how long one takes."""
        before = self._step
        self._step = None if activity else step
        if before is None or activity or step <= before or self._stall is not None:
            return
        number = step - before
        self._usual.extend([self._quiet / number] * min(number, STEPS))

    def _writes(self) -> bool:
        """Whether a save has written more since it was last asked."""
        self._asked_at = self._quiet
        before, self._bytes = self._bytes, self._saved()
        return self._bytes > before

    def _moved(self) -> StallChange | None:
        lasted, self._quiet, self._asked_at = self._quiet, 0.0, 0.0
        stall, self._stall = self._stall, None
        return None if stall is None else StallChange(None, news=True, lasted=lasted)


def begun_words(stall: Stall, of: int | None) -> str:
    """The event of a stall that was just seen."""
    place = f"step {count(stall.step)}" + (f" of {count(of)}" if of else "")
    return f"STALLED at {place}: {stall.words()}. {stall.remedy()}"


def ended_words(lasted: float) -> str:
    """The event of one that is over."""
    return f"The run is making progress again, after {duration(lasted)} without any."


def _activity(status: Status) -> str:
    """What is done now that is no step; "" for a step."""
    named = status.fields.get("activity")
    if isinstance(named, str) and named:
        return named
    return "" if status.phase == TRAINING and status.stage == 0 else status.phase


def _signs(status: Status) -> tuple[object, ...]:
    """What changes while something that is no step makes progress: an answer of many tokens leaves the counts alone."""
    return status.message, status.fields.get("signs")


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
