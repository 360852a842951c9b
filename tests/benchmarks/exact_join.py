"""All pairs of texts with a Jaccard similarity of their 5-grams at or above a threshold, without any sketch.

A prefix filter with several common 5-grams: of two sets with Jaccard t and more, sorted from rare to frequent, the
beginnings of length n - ceil(t n) + k have at least k in common. Pairs with fewer cannot be, all others are compared.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

_COMMON = 16
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)
_TABLE_BITS = 26

Grams = NDArray[np.uint64]


def grams(text: str) -> Grams:
    """The 5-grams of a text as ascending numbers; two of 64 bits that differ are taken for different 5-grams."""
    if len(text) < 5:
        return np.asarray([hash(text) & 0xFFFF_FFFF_FFFF], np.uint64)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    found = codes[: len(codes) - 4].copy()
    for offset in range(1, 5):
        found = found * _MULTIPLIER + codes[offset : offset + len(found)]
        found ^= found >> np.uint64(29)
    return np.unique(found)


def exact_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Every pair (numbers of texts, in no order) at or above the threshold; on all processors there are."""
    join = _Join(texts, threshold)
    parts = os.cpu_count() or 1
    context = multiprocessing.get_context("fork")  # the sets are there already
    ends = []
    for part in range(parts):
        end, theirs = context.Pipe(duplex=False)
        context.Process(target=_send, args=(theirs, join, range(part, len(texts), parts)), daemon=True).start()
        theirs.close()
        ends.append(end)
    for end in ends:
        yield from zip(*(column.tolist() for column in end.recv()), strict=True)


def _send(end: Connection, join: _Join, rows: range) -> None:
    """One process's part: its pairs as two arrays."""
    pairs = np.asarray([pair for row in rows for pair in join.pairs(row)], np.int64).reshape(-1, 2)
    end.send((pairs[:, 0], pairs[:, 1]))


class _Join:
    """The sets of all texts, and which of them have which rare 5-gram."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        self._sets = sets = [grams(text) for text in texts]
        self._sizes = np.asarray([len(each) for each in sets])
        self._needed = np.minimum(np.ceil(threshold * self._sizes - 1e-9).astype(np.int64), _COMMON)
        tokens, owners = _prefixes(sets, threshold, self._needed)
        order = np.argsort(tokens, kind="stable")
        self._place = np.empty(len(order), np.int64)
        self._place[order] = np.arange(len(order))
        self._owners_by_token = owners[order]
        starts = np.flatnonzero(np.concatenate(([True], tokens[order][1:] != tokens[order][:-1])))
        group = np.cumsum(np.bincount(starts, minlength=len(order))) - 1
        self._begin = starts[group]  # of the token's owners, for each place in the order
        self._bounds = np.searchsorted(owners, np.arange(len(texts) + 1))

    def pairs(self, row: int) -> Iterator[tuple[int, int]]:
        """The pairs of a text with those before it."""
        sets, sizes, needed = self._sets, self._sizes, self._needed
        # Within a token the owners ascend: those before this row's own place are the earlier rows.
        places = self._place[self._bounds[row] : self._bounds[row + 1]]
        counts = places - self._begin[places]
        total = int(counts.sum())
        if not total:
            return
        within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        earlier = self._owners_by_token[np.repeat(self._begin[places], counts) + within]
        others, common = np.unique(earlier, return_counts=True)
        least, most = np.minimum(sizes[others], sizes[row]), np.maximum(sizes[others], sizes[row])
        likely = (common >= np.minimum(needed[others], needed[row])) & (least >= self._threshold * most)
        for other in others[likely].tolist():
            both = np.concatenate((sets[row], sets[other]))
            both.sort(kind="stable")
            shared = int(np.count_nonzero(both[1:] == both[:-1]))
            if shared / (len(both) - shared) >= self._threshold:
                yield other, row


def _prefixes(sets: Sequence[Grams], threshold: float, needed: NDArray[np.int64]) -> tuple[Grams, NDArray[np.int32]]:
    """The rarest 5-grams of each set and whose they are, in the order of the sets."""
    frequency = np.zeros(2**_TABLE_BITS, np.uint32)
    shift = np.uint64(64 - _TABLE_BITS)
    for each in sets:
        np.add.at(frequency, (each * _MULTIPLIER) >> shift, 1)
    tokens, owners = [], []
    for row, each in enumerate(sets):
        length = len(each) - math.ceil(threshold * len(each) - 1e-9) + int(needed[row])
        # Any one order will do if it is the same for all: by frequency, then by number.
        rare = np.lexsort((each, frequency[(each * _MULTIPLIER) >> shift]))[:length]
        tokens.append(each[rare])
        owners.append(np.full(len(rare), row, np.int32))
    return np.concatenate(tokens), np.concatenate(owners)
