"""How fast someone decides."""

from __future__ import annotations

_PAUSE = 120.0
"""Seconds after which somebody was away rather than reading."""


class AuditPace:
    """Decisions a minute over the last twenty; time away does not count."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def note(self, now: float) -> None:
        """A decision was made at `now`, in seconds of a clock that never goes back."""
        self._times = [*self._times[-20:], now]

    @property
    def per_minute(self) -> float:
        """The pace, 0 while there are fewer than two decisions."""
        gaps = [min(then - before, _PAUSE) for before, then in zip(self._times, self._times[1:], strict=False)]
        return len(gaps) * 60 / max(sum(gaps), 0.001) if gaps else 0.0
