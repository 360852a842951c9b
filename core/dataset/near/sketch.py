"""Sketches: 128 numbers a text, of which two texts share about as many as their Jaccard similarity says.

One-permutation MinHash on 5-grams of characters: each 5-gram falls into one of 128 bins, and a bin keeps the least hash.
Bins that stay empty are filled by further rounds with other hashes, and what is empty then by one hash a bin, as in "Fast
similarity sketching" (Dahlgaard, Knudsen, Thorup, 2017): so a text of ten 5-grams is estimated as well as one of thousands.

numpy is imported inside the functions: only processes that search for near-duplicates may pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GRAM = 5
"""Characters a shingle."""

VALUES = 128
"""Numbers a signature; a power of two."""

_RECALL = 0.999
_MOST_ROWS = 8
_ROUNDS = 8
_BLOCK = 2**17
_EMPTY = 0xFFFF_FFFF
_PAD = "\U0010ffff"
_FACTOR = 0x9E37_79B1


@dataclass(frozen=True, slots=True)
class Banding:
    """How signatures are cut: rows that agree in a whole band are candidates.

    Attributes:
        bands: number of bands.
        width: values a band.
    """

    bands: int
    width: int

    @classmethod
    def for_threshold(cls, threshold: float) -> Banding:
        """The widest bands that still find 99.9% of the pairs that are just at the threshold (0.8: 25 of 5)."""
        for width in range(_MOST_ROWS, 1, -1):
            bands = VALUES // width
            if 1 - (1 - threshold**width) ** bands >= _RECALL:
                return cls(bands, width)
        return cls(VALUES, 1)


@dataclass(frozen=True, slots=True)
class Sketches:
    """Sketches of some texts, in their order.

    Attributes:
        bands: a hash a band, uint32, shape (bands, texts).
        marks: the low byte of each value, uint8, shape (texts, 128): the share of equal ones estimates similarity.
    """

    bands: NDArray[np.uint32]
    marks: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Memory that they hold."""
        return self.bands.nbytes + self.marks.nbytes


def sketch(texts: Sequence[str], banding: Banding) -> Sketches:
    """Sketches normalised texts.

    Args:
        texts: after `core.dataset.checks.base.normalise`.
        banding: of `Banding.for_threshold`.
    """
    import numpy as np

    values = signatures(texts)
    hashed = np.empty((banding.bands, len(texts)), np.uint32)
    for band in range(banding.bands):
        mixed = np.full(len(texts), band + 1, np.uint32)
        for column in range(band * banding.width, (band + 1) * banding.width):
            mixed ^= values[:, column]
            _mix(mixed)
        hashed[band] = mixed
    return Sketches(hashed, values.astype(np.uint8))


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The signatures of normalised texts, shape (texts, 128)."""
    import numpy as np

    found = np.empty((len(texts), VALUES), np.uint32)
    first = 0
    for block in _blocks(texts):
        found[first : first + len(block)] = _signatures(block)
        first += len(block)
    return found


def code_points(text: str) -> NDArray[Any]:
    """The characters as numbers, uint8 or uint32."""
    import numpy as np

    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of texts of some hundred kilobytes together: arrays that stay in the processor's cache."""
    first = size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size >= _BLOCK:
            yield texts[first : number + 1]
            first, size = number + 1, 0
    if first < len(texts):
        yield texts[first:]


def _signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    import numpy as np

    texts = [text if len(text) >= GRAM else text.ljust(GRAM, _PAD) for text in texts]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    # Where in the flat table of bins a row's begin; windows that reach into the next row go to a bin that none reads.
    rows = np.repeat(np.arange(len(texts)) * VALUES, lengths)
    ends = np.cumsum(lengths)
    for back in range(1, GRAM):
        rows[ends - back] = len(texts) * VALUES
    rows = rows[: 1 - GRAM]
    grams = _gram_hashes("".join(texts))
    found = np.full((len(texts) + 1) * VALUES, _EMPTY, np.uint32)
    _throw(found, rows, grams, 0)
    table = found.reshape(-1, VALUES)[:-1]
    for number in range(1, _ROUNDS):
        wanting = np.flatnonzero((table == _EMPTY).any(axis=1))
        if not len(wanting):
            break
        place = np.full(len(texts) + 1, -1, np.int64)
        place[wanting] = np.arange(len(wanting)) * VALUES
        again = place[rows // VALUES]
        taken = again >= 0
        thrown = np.full(len(wanting) * VALUES, _EMPTY, np.uint32)
        _throw(thrown, again[taken], grams[taken], number)
        more = thrown.reshape(-1, VALUES)
        table[wanting] = np.where(table[wanting] == _EMPTY, more, table[wanting])
    for row in np.flatnonzero((table == _EMPTY).any(axis=1)).tolist():
        bins = np.flatnonzero(table[row] == _EMPTY)
        own = grams[ends[row] - lengths[row] : ends[row] - GRAM + 1]
        seeds = (bins + _ROUNDS).astype(np.uint32) * np.uint32(_FACTOR)
        table[row, bins] = _mix(own[None, :] ^ seeds[:, None]).min(axis=1) >> np.uint32(7)
    return table


def _gram_hashes(text: str) -> NDArray[np.uint32]:
    """A hash of the five characters from each place on; four places fewer than characters."""
    import numpy as np

    codes = code_points(text).astype(np.uint32)
    last = len(codes) - GRAM + 1
    grams = codes[:last].copy()
    for offset in range(1, GRAM):
        grams *= np.uint32(_FACTOR)
        grams += codes[offset : offset + last]
    return grams


def _throw(table: NDArray[np.uint32], rows: NDArray[np.int64], grams: NDArray[np.uint32], number: int) -> None:
    """Throws each 5-gram into one of its row's bins, by the hash of that round."""
    import numpy as np

    hashed = _mix(grams ^ np.uint32(number * _FACTOR & _EMPTY))
    np.minimum.at(table, rows + (hashed & np.uint32(VALUES - 1)), hashed >> np.uint32(7))


def _mix(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Spreads each number over all 32 bits, in place (the constants of "lowbias32", Wellons, 2018)."""
    import numpy as np

    for shift, factor in ((16, 0x7FEB_352D), (15, 0x846C_A68B)):
        values ^= values >> np.uint32(shift)
        values *= np.uint32(factor)
    values ^= values >> np.uint32(16)
    return values
