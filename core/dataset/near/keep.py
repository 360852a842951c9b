"""Which rows of a cluster can go: only one that is like a row that stays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Protocol

from core.dataset.near.connect import Likely
from core.dataset.near.sketch import Sketches
from core.dataset.near.verify import Verifier

Outcome = dict[int, tuple[int, float] | None]
"""Text to None where it stays, or to the text that stays and is like it, with their similarity."""

FEW = 24
"""Texts of a cluster up to which all pairs are looked at."""

_MOST_IN_BUCKET = 256


class Candidates(Protocol):
    """Knows which of the texts that stay may be like another."""

    def add(self, member: int) -> None:
        """Notes a text that stays."""
        ...

    def of(self, member: int) -> Iterable[int]:
        """The texts that stay and are likely to be like one, the likeliest first."""
        ...


def choose(members: Sequence[int], candidates: Candidates, verify: Verifier) -> Outcome:
    """Goes through the texts of a cluster, the most worth keeping first; each stays unless it is like one that stays.

    Args:
        members: distinct texts, by place, in order of preference.
        candidates: of this cluster.
        verify: tells the similarity of two; what it knows already is made use of first.

    Returns:
        For each text None where it stays, or the text that stays and makes it superfluous, with their similarity.
    """
    outcome: Outcome = {}
    for member in members:
        known = [
            (similarity, -other) for other, similarity in verify.similar(member) if outcome.get(other, member) is None
        ]
        if known:
            similarity, other = max(known)
            outcome[member] = (-other, similarity)
            continue
        found = ((other, verify(member, other)) for other in candidates.of(member))
        outcome[member] = next((each for each in found if each[1]), None)
        if outcome[member] is None:
            candidates.add(member)
    return outcome


def to_verify(members: Sequence[int], verify: Verifier) -> Iterator[tuple[int, int]]:
    """The pairs that `choose` is going to ask for first, as far as that can be foreseen: with the one sure to stay."""
    first = members[0]
    like = {first, *(other for other, _ in verify.similar(first))}
    yield from ((first, member) for member in members if member not in like)


class SmallClusters:
    """The likely pairs within many small clusters, worked out at once; candidates for each of them.

    Args:
        clusters: of up to `FEW` texts.
        likely: of all texts.
    """

    def __init__(self, clusters: Iterable[Sequence[int]], likely: Likely) -> None:
        import numpy as np

        # The only pair of a cluster of two is known already.
        pairs = [pair for members in clusters if len(members) > 2 for pair in combinations(members, 2)]
        first, second = np.asarray(pairs, np.int64).reshape(-1, 2).T
        near, estimates = likely.of(first, second)
        near = near[np.argsort(-estimates, kind="stable")]
        self._near: dict[int, list[int]] = {}
        for one, other in zip(first[near].tolist(), second[near].tolist(), strict=True):
            self._near.setdefault(one, []).append(other)
            self._near.setdefault(other, []).append(one)
        self._kept: set[int] = set()

    def add(self, member: int) -> None:
        """As `Candidates`."""
        self._kept.add(member)

    def of(self, member: int) -> Iterable[int]:
        """As `Candidates`."""
        return (other for other in self._near.get(member, ()) if other in self._kept)


class LargeCluster:
    """The kept texts of a large cluster by their bands: those that agree in one are candidates.

    A bucket takes a bounded number, so that a cluster of rows that are all a little unlike does not go quadratic. What
    is missed so stays in the dataset.

    Args:
        sketches: of all texts.
        verify: tells which candidates are ruled out.
    """

    def __init__(self, sketches: Sketches, verify: Verifier) -> None:
        self._bands = sketches.bands
        self._verify = verify
        self._kept: array[int] = array("q")
        self._buckets: dict[tuple[int, int], array[int]] = {}

    def add(self, member: int) -> None:
        """As `Candidates`."""
        for key in enumerate(self._bands[:, member].tolist()):
            bucket = self._buckets.setdefault(key, array("q"))
            if len(bucket) < _MOST_IN_BUCKET:
                bucket.append(len(self._kept))
        self._kept.append(member)

    def of(self, member: int) -> Iterable[int]:
        """As `Candidates`."""
        import numpy as np

        keys = enumerate(self._bands[:, member].tolist())
        found = [np.frombuffer(self._buckets[key], np.int64) for key in keys if key in self._buckets]
        if not found:
            return ()
        agree = np.zeros(len(self._kept), np.bool_)
        agree[np.concatenate(found)] = True
        others = np.frombuffer(self._kept, np.int64)[agree]
        likely: list[int] = others[self._verify.possible(np.full(len(others), member), others)].tolist()
        return likely
