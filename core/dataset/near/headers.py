"""Beginnings that many rows share: few-shot headers, templated instructions, one of a handful of system prompts.

Two rows under the same long header are similar because of it, whatever their prompts. So it is removed before
comparing. A beginning is a header where many rows have it and then continue in different ways, and where enough of them
remains to be compared; copies of one document share a beginning too, but they continue in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

LOOKED_AT = 4_096
"""Rows that are looked at; a header that fewer than one in a hundred have is not worth finding."""

HEAD = 4_096
"""Characters of each that are looked at."""

_SHORTEST = 40
"""Characters a header has at least, and by which one must be longer than another that it begins with: where a header
ends prompts begin, and some of them with the same few words."""

_LEAST_ROWS = 20
_LEAST_SHARE = 0.01
_MOST_ALIKE = 0.5
_LEAST_WAYS = 8
_LEAST_REST = 50


class Headers:
    """The shared beginnings of a dataset.

    Args:
        headers: each of them.
    """

    def __init__(self, headers: Sequence[str] = ()) -> None:
        self.texts = tuple(headers)
        self._number = {header: number for number, header in enumerate(headers)}
        self._lengths = sorted({len(header) for header in headers}, reverse=True)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Headers:
        """Finds the shared beginnings in some normalized texts.

        Args:
            texts: at most `LOOKED_AT` rows, drawn from all over the dataset.
        """
        ordered = sorted((text[:HEAD], len(text)) for text in texts)
        least = max(_LEAST_ROWS, int(len(texts) * _LEAST_SHARE))
        return cls(_shared([head for head, _ in ordered], [length for _, length in ordered], least))

    def __len__(self) -> int:
        return len(self._number)

    def split(self, text: str) -> tuple[int, int]:
        """The number of a text's header and the header's length; -1 and 0 where it has none or nothing else."""
        for length in self._lengths:
            if len(text) > length:
                number = self._number.get(text[:length])
                if number is not None:
                    return number, length
        return -1, 0


def _shared(heads: Sequence[str], lengths: Sequence[int], least: int) -> list[str]:
    """Goes from the beginning of sorted texts on, where ways part, and notes where they part widely."""
    found: list[str] = []
    waiting = [(0, len(heads), 0)]
    while waiting:
        first, last, header = waiting.pop()
        if last - first < least:
            continue
        common = _common(heads[first], heads[last - 1])
        if common == len(heads[first]) == len(heads[last - 1]):
            continue  # all the same, to the end
        cut = _word_begin(heads[first], common)
        rests = sorted(lengths[row] - cut for row in range(first, last))
        ways = Counter(heads[row][cut : cut + 16] for row in range(first, last))
        if (
            cut - header >= _SHORTEST
            and rests[len(rests) // 2] >= _LEAST_REST
            and len(ways) >= _LEAST_WAYS
            and max(ways.values()) <= _MOST_ALIKE * (last - first)
        ):
            found.append(heads[first][:cut])
            header = cut
        begin = first
        for row in range(first + 1, last + 1):
            if row == last or heads[row][common : common + 1] != heads[begin][common : common + 1]:
                waiting.append((begin, row, header))
                begin = row
    return sorted(set(found))


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _word_begin(text: str, cut: int) -> int:
    """The place itself, or where the word begins that it cuts; scripts without spaces have no such words."""
    if cut >= len(text) or not _in_word(text[cut]):
        return cut
    while cut and _in_word(text[cut - 1]):
        cut -= 1
    return cut


def _in_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
