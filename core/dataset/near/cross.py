"""Every pair across two sides that is alike: exact, none missed, which sketches alone cannot promise.

Two sets whose Jaccard similarity is at least t share k of their rarest members: of n members ordered by rarity, the
first n - ceil(t n) + k are enough to look at ("A primitive operator for similarity joins in data cleaning", Chaudhuri,
Ganti and Kaushik, 2006). What shares as many is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from core.dataset.near.corpus import Corpus
from core.dataset.near.exact import LONGEST
from core.dataset.near.sketch import GRAM, code_points
from core.dataset.near.verify import Verifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLED = 2_000
_TABLE_BITS = 20
_HASH_BITS = 47
_CLASS_BITS = 5
_CHUNK = 512
_CHUNK_CHARS = 2**19
_FACTOR = 0x9E37_79B9_7F4A_7C15
_SPREAD = 0xD6E8_FEB8_6659_FD93
_SHARED = 6
"""Of its rarest members, how many a set must share with another; more are asked for less often in vain."""

_SLACK = 1
"""One member more than needed is looked at: a set in which two 5-grams had one hash is still found."""


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
        rarity: of `rarity_of` of the same texts.
        tick: told how many of `rest` are done, and how many there are; may raise to stop.

    Yields:
        Place of `held`, place of `rest`, and their similarity.
    """
    import numpy as np

    if not held or not rest:
        return
    sizes = np.zeros(len(numbers), np.int64)
    found = [_rarest(corpus, numbers, part, rarity, threshold, sizes) for part in _chunks(corpus, numbers, held)]
    marks = np.concatenate([each[0] for each in found])
    places = np.concatenate([each[1] for each in found])
    order = np.argsort(marks, kind="stable")
    marks, places = marks[order], places[order]
    done = 0
    for part in _chunks(corpus, numbers, rest):
        tick(done, len(rest))
        done += len(part)
        own, whose = _rarest(corpus, numbers, part, rarity, threshold, sizes)
        left, right = np.searchsorted(marks, own, "left"), np.searchsorted(marks, own, "right")
        counts = right - left
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs = places[np.repeat(left, counts) + within] * len(numbers) + np.repeat(whose, counts)
        for one, other in _likely(pairs, sizes, threshold):
            similarity = verify(one, other)
            if similarity:
                yield one, other, similarity
    tick(len(rest), len(rest))


def _likely(pairs: NDArray[np.int64], sizes: NDArray[np.int64], threshold: float) -> list[tuple[int, int]]:
    """The pairs that stand often enough in a list of shared members, and whose sizes allow for the threshold."""
    import numpy as np

    if not len(pairs):
        return []
    pairs.sort()
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
    shared = np.diff(np.append(starts, len(pairs)))
    first, second = np.divmod(pairs[starts], len(sizes))
    small, large = np.minimum(sizes[first], sizes[second]), np.maximum(sizes[first], sizes[second])
    least = np.minimum(_SHARED, _at_least(threshold, small))
    fits = (shared >= least) & (small + _SLACK >= _at_least(threshold, large))
    return list(zip(first[fits].tolist(), second[fits].tolist(), strict=True))


def _at_least(threshold: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many members a set of each size shares with one that is like it."""
    import numpy as np

    # The allowance keeps 0.8 * 5, which is a little more than 4 as a float, from asking for 5.
    least: NDArray[np.int64] = np.ceil(threshold * sizes - 1e-9).astype(np.int64)
    return least


def _chunks(corpus: Corpus, numbers: NDArray[np.int64], places: Sequence[int]) -> Iterator[list[int]]:
    """Places together as far as they fit into the memory that one step may take."""
    part: list[int] = []
    size = 0
    for place in places:
        length = corpus.lengths[int(numbers[place])]
        if part and (len(part) == _CHUNK or size + length > _CHUNK_CHARS):
            yield part
            part, size = [], 0
        part.append(place)
        size += length
    if part:
        yield part


def rarity_of(corpus: Corpus, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """How common each hash is in a sample of the texts, as a class from 0; any order of members would be right."""
    import numpy as np

    counts = np.zeros(1 << _TABLE_BITS, np.int64)
    step = max(1, len(numbers) // _SAMPLED)
    for part in _chunks(corpus, numbers, range(0, len(numbers), step)):
        text = "".join(corpus.body(number) for number in numbers[part].tolist())[: 2 * _CHUNK_CHARS]
        if len(text) >= GRAM:
            counts += np.bincount(_slot(_grams(text)), minlength=len(counts))
    return np.minimum(np.ceil(np.log2(counts + 1)), (1 << _CLASS_BITS) - 1).astype(np.uint64)


def _rarest(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    places: Sequence[int],
    rarity: NDArray[np.uint64],
    threshold: float,
    sizes: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The rarest 5-grams of some texts, and whose each is; texts that no other can be like have none. Notes sizes."""
    import numpy as np

    bodies = [(place, corpus.body(int(numbers[place]))) for place in places]
    fitting = [(place, text) for place, text in bodies if GRAM <= len(text) <= LONGEST]
    if not fitting:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    lengths = np.array([len(text) for _, text in fitting])
    rows = np.repeat(np.arange(len(fitting), dtype=np.uint64), lengths)
    inside = np.ones(len(rows), np.bool_)
    ends = np.cumsum(lengths)
    for back in range(1, GRAM):
        inside[ends - back] = False
    hashed = _grams("".join(text for _, text in fitting))
    last = len(hashed)
    keys = rows[:last] << np.uint64(_CLASS_BITS + _HASH_BITS)
    keys |= rarity[_slot(hashed)] << np.uint64(_HASH_BITS)
    keys |= hashed
    keys = keys[inside[:last]]
    keys.sort()
    keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))]
    row = (keys >> np.uint64(_CLASS_BITS + _HASH_BITS)).astype(np.int64)
    counts = np.bincount(row, minlength=len(fitting))
    own = np.array([place for place, _ in fitting], np.int64)
    sizes[own] = counts
    starts = np.cumsum(counts) - counts
    enough = counts - _at_least(threshold, counts) + _SHARED + _SLACK
    near = np.arange(len(keys)) - starts[row] < enough[row]
    marks = keys[near] & np.uint64((1 << (_CLASS_BITS + _HASH_BITS)) - 1)
    return marks, own[row[near]]


def _grams(text: str) -> NDArray[np.uint64]:
    """A hash of 47 bits for the five characters from each place on."""
    import numpy as np

    codes = code_points(text).astype(np.uint64)
    last = len(codes) - GRAM + 1
    hashed = codes[:last].copy()
    for offset in range(1, GRAM):
        hashed *= np.uint64(_FACTOR)
        hashed += codes[offset : offset + last]
    hashed ^= hashed >> np.uint64(32)
    hashed *= np.uint64(_SPREAD)
    hashed ^= hashed >> np.uint64(29)
    return hashed >> np.uint64(64 - _HASH_BITS)


def _slot(hashed: NDArray[np.uint64]) -> NDArray[np.int64]:
    import numpy as np

    return (hashed & np.uint64((1 << _TABLE_BITS) - 1)).astype(np.int64)
