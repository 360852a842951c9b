"""How fast someone decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Decision

_PAUSE = 120.0
"""Seconds after which somebody was away rather than reading."""

_LAST = 100
"""Decisions that the pace on the screen looks back to."""


class AuditPace:
    """The median time per row over the last hundred decisions; time away does not count."""

    def __init__(self) -> None:
        self._gaps: list[float] = []
        self._last: float | None = None

    def note(self, now: float) -> None:
        """A decision was made at `now`, in seconds of a clock that never goes back."""
        if self._last is not None and now - self._last <= _PAUSE:
            self._gaps = [*self._gaps[1 - _LAST :], now - self._last]
        self._last = now

    @property
    def seconds(self) -> float:
        """Median seconds per row, 0 while there are fewer than two decisions."""
        return _median(self._gaps) if self._gaps else 0.0


def seconds_per_row(decisions: Iterable[Decision]) -> dict[str, float]:
    """Median seconds from one decision to the next, by reviewer; time away and decisions on many rows do not count.

    Args:
        decisions: oldest first.
    """
    gaps: dict[str, list[float]] = {}
    last: dict[str, Decision] = {}
    for each in decisions:
        if each.action not in ("keep", "drop", "edit"):
            continue
        before = last.get(each.user)
        if before is not None and each.step == before.step:  # a reason, or one of many rows
            continue
        if before is not None and 0 <= each.time - before.time <= _PAUSE and each.host == before.host:
            gaps.setdefault(each.user, []).append(each.time - before.time)
        last[each.user] = each
    return {user: _median(found) for user, found in gaps.items()}


def seconds_words(seconds: float) -> str:
    """As `6 s` or `0.8 s`."""
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _median(values: Sequence[float]) -> float:
    """The middle of some values; `statistics` would take 10 ms of the start to import."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
