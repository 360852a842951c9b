"""Which words two texts have in common, in order: what a reader needs to see where near-duplicates differ.

Texts of near-duplicates differ in few places, so the shortest edit (Myers) is found at once; in long texts that differ
in many, words that occur once in both divide them first. The work is bounded: what is too unlike counts as different.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

Run = tuple[int, int, int]
"""Equal words: where they begin in the first text, where in the second, and how many they are."""

_STEPS = 1_500_000
"""Steps of the search in all; a second or so."""

_MOST_EDITS = 800
"""Words that may differ in one piece; finding them costs the square of it."""

_SMALL = 2_000
"""Words of two pieces up to which the shortest edit is looked for at once."""


def common_words(first: Sequence[str], second: Sequence[str]) -> list[Run]:
    """Finds the words that two texts share.

    Args:
        first: the words of a text.
        second: those of another.

    Returns:
        Runs of equal words, ascending in both texts.
    """
    search = _Search(first, second)
    waiting = [(0, len(first), 0, len(second))]
    while waiting:
        waiting += search.divide(*waiting.pop())
    return _joined(sorted(search.runs))


class _Search:
    """Finds runs piece by piece, within a budget of steps."""

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        self._first = first
        self._second = second
        self._steps = _STEPS
        self.runs: list[Run] = []

    def divide(self, a: int, a_end: int, b: int, b_end: int) -> list[tuple[int, int, int, int]]:
        """Notes the equal words of a piece, or those that divide it; returns the pieces that are left."""
        first, second = self._first, self._second
        begin = a
        while a < a_end and b < b_end and first[a] == second[b]:
            a, b = a + 1, b + 1
        if a > begin:
            self.runs.append((begin, b - (a - begin), a - begin))
        end = a_end
        while a < a_end and b < b_end and first[a_end - 1] == second[b_end - 1]:
            a_end, b_end = a_end - 1, b_end - 1
        if end > a_end:
            self.runs.append((a_end, b_end, end - a_end))
        if a == a_end or b == b_end:
            return []
        if a_end - a + b_end - b > _SMALL:
            anchors = self._anchors(a, a_end, b, b_end)
            if anchors:
                edges = [(a, b), *anchors, (a_end, b_end)]
                return [(one, next_one, other, next_other) for (one, other), (next_one, next_other) in pairwise(edges)]
        self._shortest_edit(a, a_end, b, b_end)
        return []

    def _anchors(self, a: int, a_end: int, b: int, b_end: int) -> list[tuple[int, int]]:
        """Words that occur once in both pieces, as many as stand in the same order; the pieces' begins left out."""
        first, second = self._first, self._second
        once = {word for word, times in Counter(first[a:a_end]).items() if times == 1}
        there = Counter(word for word in second[b:b_end] if word in once)
        place = {second[at]: at for at in range(b, b_end) if there.get(second[at]) == 1}
        pairs = [(at, place[first[at]]) for at in range(a, a_end) if first[at] in place]
        return [pair for pair in _longest_ascending(pairs) if pair != (a, b)]

    def _shortest_edit(self, a: int, a_end: int, b: int, b_end: int) -> None:
        """Myers' greedy search, as far as the budget and the limit of edits go."""
        first, second = self._first, self._second
        n, m = a_end - a, b_end - b
        reached = {1: 0}
        history: list[array[int]] = []
        for edits in range(min(n + m, _MOST_EDITS) + 1):
            self._steps -= edits + 1
            if self._steps < 0:
                return
            level = array("l")
            for k in range(-edits, edits + 1, 2):
                down = k == -edits or (k != edits and reached.get(k - 1, -1) < reached.get(k + 1, -1))
                x = reached.get(k + 1, 0) if down else reached.get(k - 1, -1) + 1
                y = x - k
                while x < n and y < m and first[a + x] == second[b + y]:
                    x, y = x + 1, y + 1
                reached[k] = x
                level.append(x)
                if x >= n and y >= m:
                    history.append(level)
                    self._walk_back(history, a, b, n, m)
                    return
            history.append(level)

    def _walk_back(self, history: list[array[int]], a: int, b: int, n: int, m: int) -> None:
        """Notes the runs on the way that the search took."""
        x, y = n, m
        for edits in range(len(history) - 1, 0, -1):
            before = history[edits - 1]

            def reached(k: int, before: array[int] = before, edits: int = edits) -> int:
                at = (k + edits - 1) // 2
                return before[at] if -edits < k < edits else -1

            k = x - y
            down = k == -edits or (k != edits and reached(k - 1) < reached(k + 1))
            from_k = k + 1 if down else k - 1
            from_x = reached(from_k)
            begin_x = from_x if down else from_x + 1
            if x > begin_x:
                self.runs.append((a + begin_x, b + begin_x - k, x - begin_x))
            x, y = from_x, from_x - from_k
        if x:
            self.runs.append((a, b, x))


def _longest_ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs, ascending in the first, that ascends in the second as well."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (_, other) in enumerate(pairs):
        at = bisect_left(tails, other)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(other)
            ends.append(number)
        else:
            tails[at], ends[at] = other, number
    chosen = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = before[number]
    return chosen[::-1]


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Neighbouring runs as one."""
    joined: list[Run] = []
    for a, b, length in runs:
        if joined and joined[-1][0] + joined[-1][2] == a and joined[-1][1] + joined[-1][2] == b:
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + length)
        else:
            joined.append((a, b, length))
    return joined
