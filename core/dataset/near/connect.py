"""Which rows belong together: candidates by band, each pair verified, verified pairs joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.dataset.near.sketch import VALUES, Sketches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Verify = Callable[[int, int], float]
"""The verified similarity of two rows, or 0 where they are no pair."""

_LEADERS = 256
_SIGMAS = 3.5
_PIECE = 2**15


class Components:
    """Rows joined so far; `labels` has equal numbers for rows that are.

    Args:
        rows: how many there are.
    """

    def __init__(self, rows: int) -> None:
        import numpy as np

        self.labels: NDArray[np.int64] = np.arange(rows)
        self._members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> None:
        """Joins two rows and all that were joined with them; the smaller part takes the larger one's label."""
        one, other = int(self.labels[first]), int(self.labels[second])
        if one == other:
            return
        mine, others = self._members.pop(one, None) or [one], self._members.pop(other, None) or [other]
        if len(mine) < len(others):
            one, mine, others = other, others, mine
        self.labels[others] = one
        mine += others
        self._members[one] = mine

    def parts(self) -> list[list[int]]:
        """The rows of each component of more than one row, ascending, by first row."""
        return sorted(sorted(members) for members in self._members.values())


def least_estimate(threshold: float) -> int:
    """How many of the 128 values must agree so that a pair is worth verifying: 3.5 deviations below the threshold."""
    deviation = (threshold * (1 - threshold) / VALUES) ** 0.5
    return max(int((threshold - _SIGMAS * deviation) * VALUES), 1)


def agreeing(marks: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """In how many of 128 values the sketches of two rows agree, for many pairs."""
    import numpy as np

    counts = np.empty(len(first), np.int64)
    for at in range(0, len(first), _PIECE):
        piece = slice(at, at + _PIECE)
        counts[piece] = np.count_nonzero(marks[first[piece]] == marks[second[piece]], axis=1)
    return counts


def connect(
    sketches: Sketches, threshold: float, verify: Verify, on_progress: Callable[[int, int], None]
) -> Components:
    """Joins all rows that verified pairs connect.

    In each band the first row of a group of equal bands is compared with the rest, then the second, and so on, but only
    with rows that are not joined with it yet: a group of a thousand copies costs 999 comparisons. In groups that do not
    become one, the first 256 rows are taken so.

    Args:
        sketches: of all rows.
        threshold: least similarity of a pair.
        verify: tells the similarity.
        on_progress: told bands done and in all; may raise to stop.
    """
    import numpy as np

    least = least_estimate(threshold)
    components = Components(sketches.bands.shape[1])
    refused: set[tuple[int, int]] = set()
    for band, hashed in enumerate(sketches.bands):
        order, starts, sizes = _groups(hashed)
        for leader in range(_LEADERS):
            labels = components.labels[order]
            mixed = _mixed(labels, starts, sizes, leader)
            starts, sizes = starts[mixed], sizes[mixed]
            if not len(starts):
                break
            rest = sizes - leader - 1
            first = np.repeat(starts + leader, rest)
            within = np.arange(len(first)) - np.repeat(np.cumsum(rest) - rest, rest)
            second = first + 1 + within
            apart = labels[first] != labels[second]
            one, other = order[first[apart]], order[second[apart]]
            near = agreeing(sketches.marks, one, other) >= least
            for pair in zip(one[near].tolist(), other[near].tolist(), strict=True):
                if components.labels[pair[0]] == components.labels[pair[1]] or pair in refused:
                    continue
                if verify(*pair):
                    components.join(*pair)
                else:
                    refused.add(pair)
        on_progress(band + 1, len(sketches.bands))
    return components


def _groups(hashed: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows sorted by hash, and where the groups of two and more equal ones begin in that order and how long they are."""
    import numpy as np

    order = np.lexsort((np.arange(len(hashed)), hashed))
    ordered = hashed[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else order
    sizes = np.diff(np.append(starts, len(ordered)))
    several = sizes > 1
    return order, starts[several], sizes[several]


def _mixed(
    labels: NDArray[np.int64], starts: NDArray[np.int64], sizes: NDArray[np.int64], leader: int
) -> NDArray[np.bool_]:
    """Which groups have rows after the leader and are not yet joined to one."""
    import numpy as np

    if not len(starts):
        return np.zeros(0, np.bool_)
    # reduceat over begin and end of each group: every second result is a group's.
    edges = np.column_stack((starts, starts + sizes)).ravel()
    padded = np.append(labels, 0)
    least = np.minimum.reduceat(padded, edges)[::2]
    most = np.maximum.reduceat(padded, edges)[::2]
    return (least != most) & (sizes > leader + 1)
