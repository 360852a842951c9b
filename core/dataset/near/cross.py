"""Every pair across two sides that is alike: exact, none missed, which sketches alone cannot promise.

Two sets whose Jaccard similarity is at least t share k of their rarest members: of n members ordered by rarity, the
first n - ceil(t n) + k are enough to look at ("A primitive operator for similarity joins in data cleaning", Chaudhuri,
Ganti and Kaushik, 2006). What shares as many is verified, unless sizes or parity sketches speak against it: among
rows of one template a hundred times as many pairs share enough as are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from core.dataset.near.corpus import Corpus
from core.dataset.near.members import SHARED, SLACK, Members, at_least, chunks, members_of
from core.dataset.near.parity import most_unshared, unshared
from core.dataset.near.verify import Verifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PIECE = 2**13
_PREPARED = 64
_LARGEST_TABLE = 24


def cross_pairs(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    held: Sequence[int],
    rest: Sequence[int],
    verify: Verifier,
    threshold: float,
    rarity: NDArray[np.uint64],
    tick: Callable[[int, int], None],
) -> Iterator[tuple[int, int, float]]:
    """Finds all pairs of one text of each side that are alike.

    Args:
        corpus: settled.
        numbers: of each distinct text (place), its number in the corpus.
        held: places of one side, the smaller one by preference.
        rest: places of the other side.
        verify: tells the similarity of two places.
        threshold: least similarity.
        rarity: of `core.dataset.near.members.rarity_of` of the same texts.
        tick: told how many of `rest` are done, and how many there are; may raise to stop.

    Yields:
        Place of `held`, place of `rest`, and their similarity.
    """
    import numpy as np

    if not held or not rest:
        return
    sizes = np.zeros(len(numbers), np.int64)
    lists = _Lists(
        [members_of(corpus, numbers, part, rarity, threshold, sizes) for part in chunks(corpus, numbers, held)]
    )
    done = 0
    for part in chunks(corpus, numbers, rest):
        tick(done, len(rest))
        done += len(part)
        own = members_of(corpus, numbers, part, rarity, threshold, sizes)
        likely = lists.likely(own, sizes, threshold)
        for at in range(0, len(likely), _PREPARED):
            some = likely[at : at + _PREPARED]
            verify.prepare(some)
            for one, other in some:
                similarity = verify(one, other)
                if similarity:
                    yield one, other, similarity
    tick(len(rest), len(rest))


class _Lists:
    """Which texts of one side have a rare member.

    Args:
        parts: these texts.
    """

    def __init__(self, parts: Sequence[Members]) -> None:
        import numpy as np

        firsts = np.cumsum([0, *(len(part.places) for part in parts)])
        self._places = np.concatenate([part.places for part in parts])
        self._parities = np.concatenate([part.parities for part in parts])
        marks = np.concatenate([part.marks for part in parts])
        owners = np.concatenate([first + part.owners for first, part in zip(firsts[:-1], parts, strict=True)])
        order = np.argsort(marks, kind="stable")
        marks, self._owners = marks[order], owners[order]
        self._starts = np.flatnonzero(np.concatenate((np.ones(min(len(marks), 1), bool), marks[1:] != marks[:-1])))
        self._marks = marks[self._starts]
        self._ends = np.append(self._starts[1:], len(marks))
        # Most members of the other side are in no list: a table of their last bits says so faster than a search.
        self._mask = np.uint64((1 << min(_LARGEST_TABLE, max(8, len(marks).bit_length() + 3))) - 1)
        self._here = np.zeros(int(self._mask) + 1, np.bool_)
        self._here[self._marks & self._mask] = True

    def likely(self, other: Members, sizes: NDArray[np.int64], threshold: float) -> list[tuple[int, int]]:
        """The pairs with texts of the other side that are worth verifying, as places.

        They stand in enough lists together, and neither their sizes nor their parities speak against the threshold.
        """
        import numpy as np

        if not len(self._marks) or not len(other.marks):
            return []
        maybe = np.flatnonzero(self._here[other.marks & self._mask])
        marks = other.marks[maybe]
        where = np.minimum(np.searchsorted(self._marks, marks), len(self._marks) - 1)
        found = self._marks[where] == marks
        where, owners = where[found], other.owners[maybe[found]]
        counts = self._ends[where] - self._starts[where]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - self._starts[where], counts)
        pairs = self._owners[within] * len(other.places) + np.repeat(owners, counts)
        if not len(pairs):
            return []
        pairs.sort()
        starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
        shared = np.diff(np.append(starts, len(pairs)))
        mine, others = np.divmod(pairs[starts], len(other.places))
        one, two = sizes[self._places[mine]], sizes[other.places[others]]
        small, large = np.minimum(one, two), np.maximum(one, two)
        fits = shared >= np.minimum(SHARED, at_least(threshold, small))
        fits &= small + SLACK >= at_least(threshold, large)
        fitting = np.flatnonzero(fits)
        likely: list[tuple[int, int]] = []
        for at in range(0, len(fitting), _PIECE):
            some = fitting[at : at + _PIECE]
            unlike = unshared(self._parities[mine[some]], other.parities[others[some]])
            some = some[unlike <= most_unshared(small[some] + large[some] + 2 * SLACK, threshold)]
            likely += zip(self._places[mine[some]].tolist(), other.places[others[some]].tolist(), strict=True)
        return likely
