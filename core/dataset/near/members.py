"""The sets of 5-grams of many texts at once: how large each is, its rarest members, and its parity sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.dataset.near.corpus import Corpus
from core.dataset.near.exact import LONGEST
from core.dataset.near.parity import BITS, parities
from core.dataset.near.sketch import GRAM, code_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHARED = 6
"""Of its rarest members, how many a set must share with another; more are asked for less often in vain."""

SLACK = 1
"""One member more than needed is looked at: a set in which two 5-grams had one hash is still found."""

_SAMPLED = 2_000
_TABLE_BITS = 20
_HASH_BITS = 47
_CLASS_BITS = 5
_CHUNK = 512
_CHUNK_CHARS = 2**19
_FACTOR = 0x9E37_79B9_7F4A_7C15
_SPREAD = 0xD6E8_FEB8_6659_FD93


@dataclass(frozen=True, slots=True)
class Members:
    """The sets of some texts.

    Attributes:
        places: of the texts, ascending.
        marks: the rarest members of each.
        owners: for each of these the text, as a position in `places`.
        parities: of each text, see `core.dataset.near.parity`.
    """

    places: NDArray[np.int64]
    marks: NDArray[np.uint64]
    owners: NDArray[np.int64]
    parities: NDArray[np.uint64]


def at_least(threshold: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many members a set of each size shares with one that is like it."""
    import numpy as np

    # The allowance keeps 0.8 * 5, which is a little more than 4 as a float, from asking for 5.
    least: NDArray[np.int64] = np.ceil(threshold * sizes - 1e-9).astype(np.int64)
    return least


def chunks(corpus: Corpus, numbers: NDArray[np.int64], places: Sequence[int]) -> Iterator[list[int]]:
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
    for part in chunks(corpus, numbers, range(0, len(numbers), step)):
        text = "".join(corpus.body(number) for number in numbers[part].tolist())[: 2 * _CHUNK_CHARS]
        if len(text) >= GRAM:
            counts += np.bincount(_slot(_grams(text)), minlength=len(counts))
    return np.minimum(np.ceil(np.log2(counts + 1)), (1 << _CLASS_BITS) - 1).astype(np.uint64)


def members_of(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    places: Sequence[int],
    rarity: NDArray[np.uint64],
    threshold: float,
    sizes: NDArray[np.int64],
) -> Members:
    """The sets of some texts; those that no other can be like are not among them. Notes sizes."""
    import numpy as np

    bodies = [(place, corpus.body(int(numbers[place]))) for place in places]
    fitting = [(place, text) for place, text in bodies if GRAM <= len(text) <= LONGEST]
    if not fitting:
        none = np.zeros(0, np.int64)
        return Members(none, none.astype(np.uint64), none, np.zeros((0, BITS // 64), np.uint64))
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
    enough = counts - at_least(threshold, counts) + SHARED + SLACK
    near = np.arange(len(keys)) - starts[row] < enough[row]
    marks = keys[near] & np.uint64((1 << (_CLASS_BITS + _HASH_BITS)) - 1)
    return Members(own, marks, row[near], parities(keys, row, len(own)))


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
