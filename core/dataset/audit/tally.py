"""What reviewers said about the rows of a training set, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from core.dataset.audit.decisions import DecisionState


class ReviewTally:
    """Counts reasons, ratings, labels and reviewers over rows, for the manifest of a view."""

    def __init__(self) -> None:
        self.conflicts = 0
        """Rows that reviewers decided differently and nobody has settled."""
        self._counts: dict[str, Counter[str]] = {}

    def add(self, state: DecisionState) -> None:
        """Counts a row on which something was decided."""
        self.conflicts += state.conflict
        said = {
            "reviewers": [user for user, _ in state.verdicts],
            "reasons": [state.why] if state.why else [],
            "ratings": [str(state.rating)] if state.rating else [],
            "labels": list(state.labels),
        }
        for name, words in said.items():
            if words:
                self._counts.setdefault(name, Counter()).update(words)

    @property
    def words(self) -> str:
        """A sentence on conflicts; "" where there are none."""
        if not self.conflicts:
            return ""
        rows = "row has" if self.conflicts == 1 else "rows have"
        return (
            f"{self.conflicts:,} {rows} conflicting decisions by two reviewers; the one in effect was used. "
            "To settle them, press F on Data and choose conflicts."
        )

    def to_json(self) -> dict[str, Any]:
        """`{"reviewers": {name: rows}, "reasons", "ratings", "labels", "conflicts"}`, without what is empty."""
        found: dict[str, Any] = {name: dict(counted.most_common()) for name, counted in self._counts.items()}
        return {**found, "conflicts": self.conflicts} if self.conflicts else found
