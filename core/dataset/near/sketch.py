"""Sketches: a few numbers a text, of which two texts share about as many as their Jaccard similarity says.

One-permutation MinHash on 5-grams of characters: each 5-gram falls into one of 512 bins, and a bin keeps the least
hash. One byte of each is the text's marks, which estimate a similarity. Four bins each make one of 128 values, cut into
bands, which find candidates. Of these no value may be missing: an empty one copies that of a bin chosen by hash
("Optimal densification for fast and accurate minwise hashing", Shrivastava, 2017).

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
"""Numbers a signature, which is cut into bands."""

MARKS = 512
"""Bins, and bytes a text that estimate similarity; a power of two and a multiple of `VALUES`."""

_RECALL = 0.999
_MOST_ROWS = 8
_TRIES = 64
_BLOCK = 2**17
_BIN_BITS = MARKS.bit_length() - 1
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
        marks: a byte of each bin's least hash, 0 for empty bins, uint8, shape (texts, 512).
    """

    bands: NDArray[np.uint32]
    marks: NDArray[np.uint8]


def sketch(texts: Sequence[str], banding: Banding) -> Sketches:
    """Sketches normalized texts.

    Args:
        texts: after `core.dataset.item.normalize`.
        banding: of `Banding.for_threshold`.
    """
    import numpy as np

    bands = np.empty((banding.bands, len(texts)), np.uint32)
    marks = np.empty((len(texts), MARKS), np.uint8)
    first = 0
    for block in _blocks(texts):
        rows = slice(first, first + len(block))
        bins = _least_hashes(block) if len(block) > 1 else _least_hashes_of_long(block[0])
        marks[rows] = bins
        marks[rows][marks[rows] == 0] = 1
        marks[rows][bins == _EMPTY] = 0
        bands[:, rows] = _bands(_filled(bins.reshape(len(block), VALUES, -1).min(axis=2)), banding)
        first += len(block)
    return Sketches(bands, marks)


def code_points(text: str) -> NDArray[Any]:
    """The characters as numbers, uint8 or uint32."""
    import numpy as np

    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Runs of texts of some hundred kilobytes together, so that arrays stay in the cache; long ones alone."""
    first = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > _BLOCK:
            yield texts[first:number]
            first, size = number, 0
        size += len(text)
    if first < len(texts):
        yield texts[first:]


def _least_hashes_of_long(text: str) -> NDArray[np.uint32]:
    """As `_least_hashes` of one text, a piece at a time: pieces overlap so that each 5-gram is in one of them."""
    import numpy as np

    found = _least_hashes([text[: _BLOCK + GRAM - 1]])
    for at in range(_BLOCK, len(text) - GRAM + 1, _BLOCK):
        np.minimum(found, _least_hashes([text[at : at + _BLOCK + GRAM - 1]]), out=found)
    return found


def _least_hashes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The least hash in each bin, shape (texts, 512)."""
    import numpy as np

    texts = [text if len(text) >= GRAM else text.ljust(GRAM, _PAD) for text in texts]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    # Where in the flat table of bins a row's begin; windows that reach into the next row go to a row that none reads.
    rows = np.repeat(np.arange(len(texts)) * MARKS, lengths)
    ends = np.cumsum(lengths)
    for back in range(1, GRAM):
        rows[ends - back] = len(texts) * MARKS
    hashed = _mixed(_gram_hashes("".join(texts)))
    rows = rows[: len(hashed)]
    rows += hashed & np.uint32(MARKS - 1)
    hashed >>= np.uint32(_BIN_BITS)
    table = np.full((len(texts) + 1) * MARKS, _EMPTY, np.uint32)
    np.minimum.at(table, rows, hashed)
    return table.reshape(-1, MARKS)[:-1]


def _filled(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The signature with every empty value copied from another bin; which one depends on the bin and the try alone."""
    import numpy as np

    rows, bins = np.nonzero(values == _EMPTY)
    found = values.copy()
    for number in range(1, _TRIES):
        if not len(rows):
            break
        # The last tries step to the right, so that the one 5-gram of a short text is found by all bins.
        source = _mixed((bins * _TRIES + number).astype(np.uint32)) % np.uint32(VALUES)
        taken = values[rows, source]
        here = taken != _EMPTY
        found[rows[here], bins[here]] = taken[here]
        rows, bins = rows[~here], bins[~here]
    for _ in range(VALUES):
        if not len(rows):
            break
        found[rows, bins] = found[rows, (bins + 1) % VALUES]
        still = found[rows, bins] == _EMPTY
        rows, bins = rows[still], bins[still]
    return found


def _bands(values: NDArray[np.uint32], banding: Banding) -> NDArray[np.uint32]:
    """One hash for each band of the signatures, shape (bands, texts)."""
    import numpy as np

    cut = values[:, : banding.bands * banding.width].reshape(len(values), banding.bands, banding.width)
    hashed = np.tile(np.arange(1, banding.bands + 1, dtype=np.uint32), (len(values), 1))
    for column in range(banding.width):
        hashed ^= cut[:, :, column]
        hashed = _mixed(hashed)
    return hashed.T


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


def _mixed(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each number spread over all 32 bits, in place (the constants of "lowbias32", Wellons, 2018)."""
    import numpy as np

    for shift, factor in ((16, 0x7FEB_352D), (15, 0x846C_A68B)):
        values ^= values >> np.uint32(shift)
        values *= np.uint32(factor)
    values ^= values >> np.uint32(16)
    return values
