"""Which words two texts have in common, in order: what a reader needs to see where near-duplicates differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

Run = tuple[int, int, int]
"""Equal words: where they begin in the first text, where in the second, and how many they are."""

_WINDOW = 20_000
"""Words of each text that are compared at once: their matrix has a bit per pair of words, 50 MB."""


def common_words(first: Sequence[str], second: Sequence[str]) -> list[Run]:
    """Finds the longest common subsequence of the words of two texts.

    The equal words at both ends are taken off first. A middle longer than `_WINDOW` words is compared window by window,
    each beginning where the equal words of the last one end: the result is then long, not always the longest.

    Args:
        first: the words of a text.
        second: those of another.

    Returns:
        Runs of equal words, ascending in both texts.
    """
    head = _equal(zip(first, second, strict=False))
    tail = _equal(zip(reversed(first[head:]), reversed(second[head:]), strict=False))
    a_end, b_end = len(first) - tail, len(second) - tail
    runs = [(0, 0, head), *_middle(first, second, head, a_end, b_end), (a_end, b_end, tail)]
    return _joined([run for run in runs if run[2]])


def _equal(pairs: Iterator[tuple[str, str]]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _middle(first: Sequence[str], second: Sequence[str], start: int, a_end: int, b_end: int) -> Iterator[Run]:
    """The runs between the equal beginning and the equal end."""
    a = b = start
    if a == a_end or b == b_end:
        return
    from rapidfuzz.distance import LCSseq

    numbers: dict[str, int] = {}
    one, other = ([numbers.setdefault(word, len(numbers)) for word in text] for text in (first, second))
    while a < a_end and b < b_end:
        a_next, b_next = min(a + _WINDOW, a_end), min(b + _WINDOW, b_end)
        last = a_next == a_end and b_next == b_end
        found = [
            (a + block.a, b + block.b, block.size)
            for block in LCSseq.editops(one[a:a_next], other[b:b_next]).as_matching_blocks()
            if block.size
        ]
        yield from found
        if found and not last:
            a, b = found[-1][0] + found[-1][2], found[-1][1] + found[-1][2]
        else:
            a, b = a_next, b_next


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Neighboring runs as one."""
    joined: list[Run] = []
    for a, b, length in runs:
        if joined and joined[-1][0] + joined[-1][2] == a and joined[-1][1] + joined[-1][2] == b:
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + length)
        else:
            joined.append((a, b, length))
    return joined
