"""Every similar pair across two sides: exact, none missed, which sketches alone cannot promise.

Two sets whose Jaccard similarity is at least t share k of their rarest members: of n members ordered by rarity, the
first n - ceil(t n) + k are enough to look at ("A primitive operator for similarity joins in data cleaning", Chaudhuri,
Ganti and Kaushik, 2006). What shares as many is verified, unless sizes or parity sketches speak against it: among
rows of one template a hundred times as many pairs share enough as are similar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
_MOST_SIMILAR = 64
_MOST_PAIRS = 2**20
_LARGEST_TABLE = 24
_ROUNDING = 1e-6


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
    """Finds all similar pairs of one text of each side.

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
    for likely in _likely(corpus, numbers, held, rest, threshold, rarity, tick):
        pairs = list(zip(likely.held.tolist(), likely.rest.tolist(), strict=True))
        for at in range(0, len(pairs), _PREPARED):
            some = pairs[at : at + _PREPARED]
            verify.prepare(some)
            for one, other in some:
                similarity = verify(one, other)
                if similarity:
                    yield one, other, similarity


def closest(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    held: Sequence[int],
    rest: Sequence[int],
    verify: Verifier,
    threshold: float,
    rarity: NDArray[np.uint64],
    tick: Callable[[int, int], None],
) -> Iterator[tuple[int, int, float]]:
    """Finds for each text of one side the text of the other that it is most similar to, if it is similar to any.

    A text that is similar to more than 64 is compared with the 64 of them that promise most.

    Args:
        corpus: settled.
        numbers: as `cross_pairs`.
        held: places to choose from; of equally similar ones the first is chosen.
        rest: places to choose for.
        verify: tells the similarity of two places; forgets what it has verified.
        threshold: least similarity.
        rarity: as `cross_pairs`.
        tick: as `cross_pairs`.

    Yields:
        Place of `held`, place of `rest`, and their similarity.
    """
    import numpy as np

    rank = np.zeros(len(numbers), np.int64)
    rank[np.asarray(held, np.int64)] = np.arange(len(held))
    for likely in _likely(corpus, numbers, held, rest, threshold, rarity, tick):
        order = np.lexsort((rank[likely.held], -likely.most, likely.rest))
        ones, others, most = likely.held[order].tolist(), likely.rest[order], likely.most[order].tolist()
        ends = [*(np.flatnonzero(np.diff(others)) + 1).tolist(), len(ones)] if ones else []
        begins = [0, *ends[:-1]]
        for at in range(0, len(ends), _PREPARED):
            some = list(zip(begins[at : at + _PREPARED], ends[at : at + _PREPARED], strict=True))
            verify.prepare((ones[begin], int(others[begin])) for begin, _ in some)
            for begin, end in some:
                other, similar = int(others[begin]), 0
                chosen, similarity = -1, 0.0
                for one, at_most in zip(ones[begin:end], most[begin:end], strict=True):
                    if at_most < similarity or similar == _MOST_SIMILAR:
                        break
                    found = verify(one, other)
                    similar += found > 0
                    if found > similarity or (found and found == similarity and rank[one] < rank[chosen]):
                        chosen, similarity = one, found
                if similar:
                    yield chosen, other, similarity
        verify.forget()


@dataclass(frozen=True, slots=True)
class _Likely:
    """Pairs that are worth verifying.

    Attributes:
        held: the place of each pair on one side.
        rest: the place on the other.
        most: a similarity that the pair does not exceed.
    """

    held: NDArray[np.int64]
    rest: NDArray[np.int64]
    most: NDArray[np.float64]


def _likely(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    held: Sequence[int],
    rest: Sequence[int],
    threshold: float,
    rarity: NDArray[np.uint64],
    tick: Callable[[int, int], None],
) -> Iterator[_Likely]:
    """The pairs of some texts of `rest` after others with all of `held`; arguments as `cross_pairs`."""
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
        yield from lists.likely(own, sizes, threshold)
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

    def likely(self, other: Members, sizes: NDArray[np.int64], threshold: float) -> Iterator[_Likely]:
        """The pairs with texts of the other side that are worth verifying, those of some texts at a time.

        They stand in enough lists together, and neither their sizes nor their parities speak against the threshold. A
        text of a template stands in the lists of all others many times over: it is paired with all at once instead.
        """
        import numpy as np

        if not len(self._marks) or not len(other.marks):
            return
        maybe = np.flatnonzero(self._here[other.marks & self._mask])
        marks = other.marks[maybe]
        where = np.minimum(np.searchsorted(self._marks, marks), len(self._marks) - 1)
        found = self._marks[where] == marks
        where, owners = where[found], other.owners[maybe[found]]
        counts = self._ends[where] - self._starts[where]
        listed = np.bincount(owners, counts, len(other.places)).astype(np.int64)
        crowded = listed > len(self._places)
        owned = np.append(0, np.cumsum(np.bincount(owners, minlength=len(other.places))))
        runs = np.cumsum(np.minimum(listed, len(self._places))) // _MOST_PAIRS
        firsts = np.flatnonzero(np.concatenate(([True], runs[1:] != runs[:-1]))).tolist()
        for first, last in zip(firsts, [*firsts[1:], len(runs)], strict=True):
            some = slice(int(owned[first]), int(owned[last]))
            few = ~crowded[owners[some]]
            mine, others = self._listed(where[some][few], owners[some][few], counts[some][few], sizes, other, threshold)
            many = first + np.flatnonzero(crowded[first:last])
            mine = np.concatenate((mine, np.tile(np.arange(len(self._places)), len(many))))
            others = np.concatenate((others, np.repeat(many, len(self._places))))
            yield self._fitting(mine, others, sizes, other, threshold)

    def _listed(
        self,
        where: NDArray[np.int64],
        owners: NDArray[np.int64],
        counts: NDArray[np.int64],
        sizes: NDArray[np.int64],
        other: Members,
        threshold: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs that stand in enough lists together, as positions on both sides."""
        import numpy as np

        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - self._starts[where], counts)
        pairs = self._owners[within] * len(other.places) + np.repeat(owners, counts)
        pairs.sort()
        starts = np.flatnonzero(np.concatenate((np.ones(min(len(pairs), 1), bool), pairs[1:] != pairs[:-1])))
        shared = np.diff(np.append(starts, len(pairs)))
        mine, others = np.divmod(pairs[starts], len(other.places))
        small = np.minimum(sizes[self._places[mine]], sizes[other.places[others]])
        enough = shared >= np.minimum(SHARED, at_least(threshold, small))
        return mine[enough], others[enough]

    def _fitting(
        self,
        mine: NDArray[np.int64],
        others: NDArray[np.int64],
        sizes: NDArray[np.int64],
        other: Members,
        threshold: float,
    ) -> _Likely:
        """The pairs against which neither sizes nor parities speak."""
        import numpy as np

        one, two = sizes[self._places[mine]], sizes[other.places[others]]
        small, large = np.minimum(one, two), np.maximum(one, two)
        fitting = np.flatnonzero(small + SLACK >= at_least(threshold, large))
        likely, most = [fitting[:0]], [np.zeros(0)]
        for at in range(0, len(fitting), _PIECE):
            some = fitting[at : at + _PIECE]
            unlike = unshared(self._parities[mine[some]], other.parities[others[some]])
            both = small[some] + large[some] + 2 * SLACK
            fits = unlike <= most_unshared(both, threshold)
            likely.append(some[fits])
            most.append((both[fits] - unlike[fits]) / (both[fits] + unlike[fits]) + _ROUNDING)
        some = np.concatenate(likely)
        return _Likely(self._places[mine[some]], other.places[others[some]], np.concatenate(most))
