"""Parity sketches: a lower bound on how many members two sets do not share, from a few bytes each.

Each member turns one of 4,096 bits over, told by its hash. A bit in which two sets differ stands for at least one
member that only one of them has; so few differing bits are needed for a pair to be alike, and no pair is missed
("Efficient estimation for high similarities using odd sketches", Mitzenmacher, Pagh and Pham, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BITS = 4_096
"""Bits a set: 512 bytes, which tell 77% from 80% alike in texts of some thousand characters."""


def parities(members: NDArray[np.uint64], rows: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
    """The sketches of some sets, shape (count, BITS / 64).

    Args:
        members: hashes, those of one set each once.
        rows: the set of each, from 0.
        count: how many sets there are.
    """
    import numpy as np

    places = rows * BITS
    places += (members & np.uint64(BITS - 1)).astype(np.int64)
    turned = np.bincount(places, minlength=count * BITS).astype(np.uint8)
    turned &= 1
    return np.packbits(turned).view(np.uint64).reshape(count, BITS // 64)


def unshared(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many members, at least, only one of two sets has, for each pair of sketches."""
    import numpy as np

    found: NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return found
