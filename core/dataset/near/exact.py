"""Exact similarity: Jaccard on the sets of 5-grams of characters, with the sets last used kept at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.dataset.near.sketch import GRAM, code_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 2**22
"""Characters up to which 5-grams are compared; longer texts are similar only where they are equal."""

_CACHE = 64 * 2**20
_KEPT = 256
"""Sets that are kept however large they are: as many as are prepared together, and some that they are compared with."""

_COMMON = 84
"""Characters that come first: each word of five of them has a number of its own below 2**32. Normalized English has no
others, so that most sets take half the memory and time."""

_COMMON_END = 2**32

_ALPHABET = 7_130
"""The most characters of which each word of five has a number of its own between those and 2**64."""

_UNKNOWN = 2**32 - 1
_ASCII_UNKNOWN = 255
_CODES = 0x110000


def jaccard(first: str, second: str) -> float:
    """The similarity of two normalized texts: 5-grams in both through 5-grams in either.

    A text of fewer than five characters has itself as its only shingle; an empty text is like no other.
    """
    if not first or not second:
        return 0.0
    if first == second:
        return 1.0
    if min(len(first), len(second)) < GRAM or max(len(first), len(second)) > LONGEST:
        return 0.0
    mine, other = _grams(first), _grams(second)
    common = len(mine & other)
    return common / (len(mine) + len(other) - common)


def _grams(text: str) -> set[str]:
    return {text[at : at + GRAM] for at in range(len(text) - GRAM + 1)}


@dataclass(frozen=True, slots=True)
class _Shingles:
    """A text's 5-grams: numbered, ascending, each once; or None where only the text itself can be compared."""

    numbers: NDArray[Any] | None
    count: int

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return 0 if self.numbers is None else self.numbers.nbytes


class Similarity:
    """Jaccard of rows, as `jaccard` says it, at a tenth of its cost.

    Each 5-gram gets a number that no other has, as long as the data have no more than 7,130 different characters; texts
    with rarer ones are compared as sets of strings. So a similarity is exact and not a hash's opinion.

    Args:
        text_of: the normalized text of a row.
        threshold: pairs that cannot reach it are told apart early.
    """

    def __init__(self, text_of: Callable[[int], str], threshold: float) -> None:
        import numpy as np

        self._text_of = text_of
        self._threshold = threshold
        self._letters = np.full(_CODES, _UNKNOWN, np.uint32)
        printable = [code for code in range(ord(" "), ord("~") + 1) if not chr(code).isupper()]
        self._letters[printable] = np.arange(len(printable))
        self._known = len(printable)
        table = bytearray([_ASCII_UNKNOWN]) * 256
        for number, code in enumerate(printable):
            table[code] = number
        self._printable = bytes(table)
        self._cache: OrderedDict[int, _Shingles] = OrderedDict()
        self._held = 0

    def of(self, first: int, second: int) -> float:
        """The similarity of two rows; 0 where it is certain to be below the threshold."""
        import numpy as np

        one, other = self._shingles(first), self._shingles(second)
        if one.numbers is None or other.numbers is None:
            return jaccard(self._text_of(first), self._text_of(second))
        small, large = sorted((one.count, other.count))
        if small < self._threshold * large:
            return 0.0
        both = np.concatenate((one.numbers, other.numbers))
        both.sort()  # in vector registers: faster than to merge two ascending runs
        common = int(np.count_nonzero(both[1:] == both[:-1]))
        return common / (small + large - common)

    def prepare(self, rows: Iterable[int]) -> None:
        """Works out the sets of rows that will be asked for next, together: that takes half the time of one by one."""
        missing = [row for row in dict.fromkeys(rows) if row not in self._cache]
        texts = [self._text_of(row) for row in missing]
        plain: list[int] = []
        other: list[int] = []
        for at, text in enumerate(texts):
            if GRAM <= len(text) <= LONGEST:
                (plain if text.isascii() else other).append(at)
            else:
                self._keep(missing[at], _Shingles(None, 0))
        for some in (plain, other):
            for at, shingles in zip(some, self._numbered([texts[at] for at in some]), strict=True):
                self._keep(missing[at], shingles)

    def numbers(self, row: int) -> NDArray[Any] | None:
        """The set of a row, a number a member, ascending; None where only the text itself can be compared."""
        return self._shingles(row).numbers

    def _shingles(self, row: int) -> _Shingles:
        found = self._cache.get(row)
        if found is None:
            self.prepare((row,))
            return self._cache[row]
        self._cache.move_to_end(row)
        return found

    def _keep(self, row: int, shingles: _Shingles) -> None:
        self._cache[row] = shingles
        self._held += shingles.nbytes
        while self._held > _CACHE and len(self._cache) > _KEPT:
            self._held -= self._cache.popitem(last=False)[1].nbytes

    def _numbered(self, texts: Sequence[str]) -> Iterator[_Shingles]:
        """The sets of some texts: letters and words of all at once, then each text's own, sorted, each once."""
        import numpy as np

        if not texts:
            return
        letters = self._letter_numbers("".join(texts))
        words = _words(letters, np.dtype(np.uint32), _COMMON)
        common = letters < _COMMON
        begin = 0
        for text in texts:
            end = begin + len(text)
            numbers = words[begin : end - GRAM + 1].copy()
            if not common[begin:end].all():
                wide = self._wide(letters[begin:end], numbers)
                if wide is None:
                    yield _Shingles(None, 0)
                    begin = end
                    continue
                numbers = wide
            numbers.sort()
            first = np.empty(len(numbers), np.bool_)
            first[0] = True
            np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
            numbers = numbers.compress(first)
            yield _Shingles(numbers, len(numbers))
            begin = end

    def _wide(self, letters: NDArray[np.uint32], numbers: NDArray[Any]) -> NDArray[Any] | None:
        """The numbers of a text with uncommon letters, or None where it has one beyond the alphabet.

        Args:
            letters: of the text.
            numbers: of its 5-grams, right for those of common letters.
        """
        import numpy as np

        if int(letters.max()) >= _ALPHABET:
            return None
        common = letters < _COMMON
        only_common = common[: len(numbers)].copy()
        for offset in range(1, GRAM):
            only_common &= common[offset : offset + len(numbers)]
        wide = _words(letters, np.dtype(np.uint64), _ALPHABET)
        wide += np.uint64(_COMMON_END)
        return np.where(only_common, numbers, wide)

    def _letter_numbers(self, text: str) -> NDArray[np.uint32]:
        """A number for each character: printable ASCII first, the others in the order of their coming."""
        import numpy as np

        if text.isascii():
            letters = np.frombuffer(text.encode("ascii").translate(self._printable), np.uint8).astype(np.uint32)
            if letters.max() != _ASCII_UNKNOWN:
                return letters
        codes = code_points(text)
        letters = self._letters.take(codes)
        if letters.max() == _UNKNOWN:
            new = np.unique(codes[letters == _UNKNOWN])
            self._letters[new] = np.arange(self._known, self._known + len(new))
            self._known += len(new)
            letters = self._letters.take(codes)
        return letters


def _words(letters: NDArray[np.uint32], dtype: np.dtype[Any], base: int) -> NDArray[Any]:
    """The number that each five letters make in a base; those with letters beyond the base make no sense."""
    one = letters.astype(dtype, copy=False)
    two = one[:-1] * dtype.type(base)
    two += one[1:]
    numbers = two[:-3] * dtype.type(base**3)
    two *= dtype.type(base)
    numbers += two[2:-1]
    numbers += one[4:]
    whole: NDArray[Any] = numbers
    return whole
