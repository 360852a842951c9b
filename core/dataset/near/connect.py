"""Which rows belong together: candidates by band, each pair verified, verified pairs joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from core.dataset.near.sketch import MARKS, Sketches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Verify(Protocol):
    """Tells the verified similarity of two rows, or 0 where they are no pair."""

    def __call__(self, first: int, second: int) -> float:
        """The similarity."""
        ...

    def prepare(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Is told which pairs may be asked for next."""
        ...

    @property
    def mostly_in_vain(self) -> bool:
        """Whether it is worth while to ask for `possible` first."""
        ...

    def possible(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions of the pairs that are not ruled out beforehand."""
        ...


_LEADERS = 16
_PREPARED = 64
_SIGMAS = 3.0
_FEW = 128
_PIECE = 2**10


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


class Likely:
    """Tells from sketches which pairs are worth verifying: estimates of three standard deviations below the threshold.

    Args:
        marks: of all rows, shape (rows, 512).
        threshold: least similarity of a pair.
    """

    def __init__(self, marks: NDArray[np.uint8], threshold: float) -> None:
        self._marks = marks
        # A quarter of the marks turns most pairs away at a quarter of the cost.
        self._some = marks[:, : MARKS // 4].copy()
        self._rough = threshold - (_SIGMAS + 1) * _deviation(threshold, MARKS // 4)
        self._least = threshold - _SIGMAS * _deviation(threshold, MARKS)

    def of(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The positions of the likely pairs among many, and their estimates."""
        import numpy as np

        positions, estimates = [np.zeros(0, np.int64)], [np.zeros(0)]
        for at in range(0, len(first), _PIECE):
            one, other = first[at : at + _PIECE], second[at : at + _PIECE]
            rough = np.arange(len(one))
            if len(one) > _FEW:
                rough = np.flatnonzero(_estimates(self._some, one, other) >= self._rough)
            fine = _estimates(self._marks, one[rough], other[rough])
            likely = fine >= self._least
            positions.append(at + rough[likely])
            estimates.append(fine[likely])
        return np.concatenate(positions), np.concatenate(estimates)


def _deviation(similarity: float, bins: int) -> float:
    return float((similarity * (1 - similarity) / bins) ** 0.5)


def _estimates(marks: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """The estimated similarity of pairs of rows."""
    return _agreement(marks.take(first, axis=0), marks.take(second, axis=0))


def _agreement(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Bins with equal marks through bins with any mark, of each row of `other`; bins empty in both are not counted."""
    import numpy as np

    equal = _true_a_row(one == other)
    filled = _true_a_row((one | other) != 0)
    found: NDArray[np.float64] = (equal - (other.shape[1] - filled)) / np.maximum(filled, 1)
    return found


def _true_a_row(table: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are true in each row of up to 2,040: eight bytes are summed at once, as none of them can overflow."""
    import numpy as np

    lanes = np.add.reduce(table.view(np.uint64), axis=1)
    counts: NDArray[np.int64] = lanes.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)
    return counts


def connect(sketches: Sketches, likely: Likely, verify: Verify, on_progress: Callable[[int, int], None]) -> Components:
    """Joins all rows that verified pairs connect.

    In each band the first row of a group of equal bands is compared with the rest, then the second, and so on, but only
    with rows that are not joined with it yet: a group of a thousand copies costs 999 comparisons. In groups that do not
    become one, 16 rows are taken so, others in each band.

    Args:
        sketches: of all rows.
        likely: of the same rows.
        verify: tells the similarity.
        on_progress: told bands done and in all; may raise to stop.
    """
    import numpy as np

    components = Components(sketches.bands.shape[1])
    for band, hashed in enumerate(sketches.bands):
        order, starts, sizes = _groups(hashed, band)
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
            near, _ = likely.of(one, other)
            one, other = one[near], other[near]
            for at in range(0, len(near), _PREPARED):
                first, second = one[at : at + _PREPARED], other[at : at + _PREPARED]
                joined = components.labels  # changes while pairs are joined
                apart = joined[first] != joined[second]
                first, second = first[apart], second[apart]
                if verify.mostly_in_vain:
                    some = np.sort(verify.possible(first, second))
                    first, second = first[some], second[some]
                pairs = list(zip(first.tolist(), second.tolist(), strict=True))
                verify.prepare(pairs)
                for pair in pairs:
                    if joined[pair[0]] != joined[pair[1]] and verify(*pair):
                        components.join(*pair)
        on_progress(band + 1, len(sketches.bands))
    return components


def _groups(hashed: NDArray[np.uint32], band: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows sorted by hash, and where the groups of two and more equal ones begin in that order and how long they are.

    Within a group the order differs from band to band, so that not the same rows lead everywhere.
    """
    import numpy as np

    place = (np.arange(len(hashed), dtype=np.uint64) * np.uint64(2 * band + 1)) % np.uint64(max(len(hashed), 1))
    order = np.argsort(hashed.astype(np.uint64) << np.uint64(32) | place)
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
    mixed: NDArray[np.bool_] = (least != most) & (sizes > leader + 1)
    return mixed
