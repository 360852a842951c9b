"""Which rows of a cluster can go: only one that is like a row that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.dataset.near.connect import Likely
from core.dataset.near.sketch import Sketches
from core.dataset.near.verify import Verifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Outcome = dict[int, tuple[int, float] | None]
"""Text to None where it stays, or to the text that stays and is like it, with their similarity."""

_FEW = 24
_MOST_IN_BUCKET = 256


def choose(members: Sequence[int], sketches: Sketches, likely: Likely, verify: Verifier) -> Outcome:
    """Goes through the texts of a cluster, the most worth keeping first; each stays unless it is like one that stays.

    Args:
        members: distinct texts, by place, in order of preference.
        sketches: of all texts.
        likely: of the same.
        verify: tells the similarity of two; what it knows already is made use of first.

    Returns:
        For each text None where it stays, or the text that stays and makes it superfluous, with their similarity.
    """
    kept = _All() if len(members) <= _FEW else _Bucketed(sketches.bands)
    outcome: Outcome = {}
    for member in members:
        known = [
            (similarity, -other) for other, similarity in verify.alike(member) if outcome.get(other, member) is None
        ]
        if known:
            similarity, other = max(known)
            outcome[member] = (-other, similarity)
            continue
        outcome[member] = _superfluous(member, kept.alike(member), likely, verify)
        if outcome[member] is None:
            kept.add(member)
    return outcome


def _superfluous(
    member: int, candidates: NDArray[np.int64], likely: Likely, verify: Verifier
) -> tuple[int, float] | None:
    if not len(candidates):
        return None
    for other in likely.beside(member, candidates):
        similarity = verify(member, other)
        if similarity:
            return other, similarity
    return None


class _All:
    """The kept texts of a small cluster: all are candidates."""

    def __init__(self) -> None:
        self._kept: list[int] = []

    def add(self, member: int) -> None:
        self._kept.append(member)

    def alike(self, _: int) -> NDArray[np.int64]:
        import numpy as np

        return np.asarray(self._kept, np.int64)


class _Bucketed:
    """The kept texts of a large cluster by their bands: those that agree in one are candidates.

    A bucket takes a bounded number, so that a cluster of rows that are all a little unlike does not go quadratic. What
    is missed so stays in the data set.
    """

    def __init__(self, bands: NDArray[np.uint32]) -> None:
        self._bands = bands
        self._buckets: dict[tuple[int, int], list[int]] = {}

    def add(self, member: int) -> None:
        for key in enumerate(self._bands[:, member].tolist()):
            bucket = self._buckets.setdefault(key, [])
            if len(bucket) < _MOST_IN_BUCKET:
                bucket.append(member)

    def alike(self, member: int) -> NDArray[np.int64]:
        import numpy as np

        found: set[int] = set()
        for key in enumerate(self._bands[:, member].tolist()):
            found.update(self._buckets.get(key, ()))
        return np.asarray(sorted(found), np.int64)
