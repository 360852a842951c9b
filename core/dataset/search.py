r"""Search over the whole text of a dataset, case-insensitive, hit by hit while it runs.

JSONL is scanned as bytes, a piece at a time: a piece of the query (the anchor) is looked for as UTF-8
and as JSON's `\uXXXX`, and each row with a find is read and compared for certain. So it finds the rows that a decoded
scan finds, in any script, composed or decomposed (signs that only look like letters, as that of Kelvin, and letters
whose marks stand in an order of their own are found by themselves alone); word indexes find a tenth of Chinese text.
Other kinds of files are read row by row.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, product
from math import prod
from typing import Any
from unicodedata import normalize

from core.dataset.files.readers import JsonlReader, Reader
from core.dataset.files.shards import ShardReader
from core.folding import fold

_CHUNK = 2**18
_WARM = 8
"""Pieces that are searched before numpy is loaded."""

_PERIOD = 0.05
_WAIT = 0.002
_WINDOW = 3
"""Letters with several spellings that an anchor has: each multiplies what must be looked for."""

_FEW = 3
"""Ways of writing an anchor up to which each is looked for by itself: a find skips further than a pattern does."""

_LONG_WINDOW = 12
"""Letters that an anchor has at most where hardly any has several spellings."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789 -_.,")
_ESCAPED_PLAIN = re.compile(rb"\\u00(?:20|2[c-eC-E]|3[0-9]|[46][0-9a-fA-F]|5[0-9aAfF]|7[0-9aA])")
"""A character of `_PLAIN` that somebody has written as an escape for no need."""

_COMPATIBLE = (range(0xF900, 0xFB00), range(0x2F800, 0x2FA20))
"""Ideographs that stand for another one: equal to it in a normalized text."""

_BITS = {"plain": 4, "cased": 9, "caseless": 10}
"""How much a letter narrows the search down, roughly; of letters that cannot be looked for nothing."""


_Find = Callable[[int], int]
"""Offset of the next find from an offset on, -1 for none."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search has found since its last report.

    Attributes:
        entries: further entries that hold the text, ascending.
        done: entries looked at.
        complete: whether this was the end.
    """

    entries: tuple[int, ...]
    done: int
    complete: bool = False


def holds(value: Any, folded: str) -> bool:
    """Whether any string or number in a parsed row holds the text, which is folded already."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if folded in fold(item):
                return True
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif item is not None and folded in fold(str(item)):
            return True
    return False


def search(reader: Reader, query: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Hits]:
    """Looks for a text in all entries, those that another thread still finds included.

    Args:
        reader: the entries; somebody else calls its `extend`.
        query: what to look for, in values; names of fields are not looked at. Entries that cannot be read have none.
        should_stop: asked between pieces.

    Yields:
        At once with the first hit, then twenty times a second.
    """
    folded = fold(query)
    needles = _Needles(folded)
    found: list[int] = []
    reported_at = 0.0
    done = 0
    for entry, done in _candidates(reader, needles, should_stop):
        if entry >= 0 and holds(reader.row(entry).value, folded):
            found.append(entry)
        now = time.monotonic()
        if now - reported_at > _PERIOD:
            reported_at = now if found else reported_at
            yield Hits(tuple(found), done)
            found = []
    if not should_stop():
        yield Hits(tuple(found), max(done, reader.count), complete=True)


class _Needles:
    """What must stand in the bytes of a row that holds the text.

    Args:
        folded: the text, folded.
    """

    def __init__(self, folded: str) -> None:
        anchor = _anchor(folded)
        letters = [_spellings(letter) for letter in anchor]
        self.any = bool(anchor)
        self.ascii = anchor.isascii()
        self.longest = sum(max(len(_escaped(each)) for each in spelled) for spelled in letters)
        self._bare = _bare(anchor.encode("utf-8", "surrogatepass"))
        if not self.ascii:
            self._raw = _Spelled(letters, lambda text: text.encode("utf-8", "surrogatepass"))
            self._escaped = _Spelled(letters, lambda text: bytes(_bare(_escaped(text))))
            # Some of its letters may be written as escapes and others not: whoever has one is looked at.
            self._mixed = re.compile(b"|".join({_any_case(_escaped(each)) for spelled in letters for each in spelled}))

    def finders(self, chunk: bytes) -> Iterator[_Find]:
        """For each way of writing it, what finds the next place in a piece that may be a hit."""
        if self.ascii:
            yield partial(_bare(chunk).find, self._bare)
            if _may_hold_plain_escapes(chunk):
                yield partial(_match, _ESCAPED_PLAIN, chunk)
        elif chunk.isascii():
            yield from self._escaped.finders(_bare(chunk))
        else:
            yield from self._raw.finders(chunk)
            if _holds(chunk, b"\\u"):
                yield partial(_match, self._mixed, chunk)


class _Spelled:
    """Letters one after the other, each in any of its spellings, as bytes.

    Args:
        letters: the spellings of each letter.
        spell: makes the bytes of one.
    """

    def __init__(self, letters: Sequence[tuple[str, ...]], spell: Callable[[str], bytes]) -> None:
        options = [sorted({spell(each) for each in spelled}) for spelled in letters]
        self._words = [b"".join(each) for each in product(*options)] if prod(map(len, options)) <= _FEW else []
        parts = (b"(?:" + b"|".join(map(re.escape, each)) + b")" for each in options)
        self._pattern = re.compile(b"".join(parts))

    def finders(self, chunk: bytes | bytearray) -> Iterator[_Find]:
        """What finds the next place in a piece."""
        if not self._words:
            yield partial(_match, self._pattern, chunk)
        for word in self._words:
            # Its last eight or four bytes first: in Chinese text a find stumbles over bytes that are in every letter.
            width = 8 if len(word) >= 8 else 4
            if len(word) < width or _holds(chunk, word[-width:]):
                yield partial(chunk.find, word)


def _escaped(text: str) -> bytes:
    """The text as JSON writes it in ASCII."""
    return json.dumps(text)[1:-1].encode()


def _any_case(escaped: bytes) -> bytes:
    """A pattern for an escape with its digits in either case."""
    return re.sub(rb"[a-f]", lambda digit: b"[" + digit.group() + digit.group().upper() + b"]", re.escape(escaped))


def _bare(chunk: bytes) -> bytes | bytearray:
    """The bytes with bit 5 set: the two cases of an ASCII letter become one, and what else does is told apart later."""
    if _numpy is None:
        return chunk.translate(_BIT_5)
    found = bytearray(len(chunk))
    _numpy.bitwise_or(_numpy.frombuffer(chunk, _numpy.uint8), 32, out=_numpy.frombuffer(found, _numpy.uint8))
    return found


def _holds(chunk: bytes | bytearray, word: bytes) -> bool:
    """Whether two, four or eight bytes stand in a piece, as `in` says, which takes three times as long."""
    if _numpy is None or len(chunk) < len(word):
        return word in chunk
    return any(found.any() for found in _compared(chunk, word))


def _may_hold_plain_escapes(chunk: bytes) -> bool:
    """Whether an escape stands in a piece that `_ESCAPED_PLAIN` could be."""
    word = b"\\u00"
    if _numpy is None or len(chunk) <= len(word):
        return word in chunk
    digits = _numpy.frombuffer(chunk, _numpy.uint8)
    for odd, found in enumerate(_compared(chunk[:-1], word)):
        if not found.any():
            continue
        behind = digits[_numpy.flatnonzero(found) * len(word) + odd + len(word)]
        if ((behind >= ord("2")) & (behind <= ord("7"))).any():
            return True
    return False


def _compared(chunk: bytes | bytearray, word: bytes) -> Iterator[Any]:
    """Where a word stands: bytes are compared together as one number, those at each remainder of its width in turn."""
    width, number = len(word), int.from_bytes(word, "little")
    for odd in range(width):
        yield _numpy.frombuffer(chunk, f"<u{width}", (len(chunk) - odd) // width, odd) == number


_BIT_5 = bytes(code | 32 for code in range(256))
_numpy: Any = None


def _load_numpy() -> None:
    """Makes `_bare` and `_holds` three times as fast; not before the first hits, for it takes 0.1 s itself."""
    global _numpy
    if _numpy is None:
        import numpy

        _numpy = numpy


def _match(pattern: re.Pattern[bytes], chunk: bytes | bytearray, start: int) -> int:
    found = pattern.search(chunk, start)
    return found.start() if found else -1


def _anchor(folded: str) -> str:
    """The piece of the text that is rare and has few ways of being written, or "" where there is none."""
    best, best_bits = "", 0
    for kind, run in _runs(folded):
        piece = run.strip() if kind == "plain" else run
        if kind != "plain":
            piece = piece[: _WINDOW if kind == "cased" else _LONG_WINDOW]
        bits = _BITS[kind] * sum(letter.isalnum() for letter in piece)
        if bits > best_bits:
            best, best_bits = piece, bits
    return best


def _runs(folded: str) -> Iterator[tuple[str, str]]:
    """The text in runs of characters that can be looked for in one way."""
    start = 0
    for at in range(1, len(folded) + 1):
        if at == len(folded) or _kind(folded[at]) != _kind(folded[start]):
            if kind := _kind(folded[start]):
                yield kind, folded[start:at]
            start = at


def _kind(letter: str) -> str:
    if letter in _PLAIN:
        return "plain"
    if letter.isascii() or not letter.isalnum():
        return ""
    return "cased" if letter.upper() != letter or normalize("NFD", letter) != letter else "caseless"


@cache
def _spellings(letter: str) -> tuple[str, ...]:
    """All that a letter of a folded text may be in a file: in either case, composed or with its marks behind it."""
    if letter.isascii():
        return (letter,)
    cases = {"σ", "ς", "Σ"} if letter == "σ" else {letter, letter.upper(), letter.title()}
    found = {each for each in cases if fold(each) == letter}
    found |= {normalize("NFD", each) for each in found}
    found.update(_twins().get(letter, ()))
    return tuple(sorted(found))


@cache
def _twins() -> dict[str, tuple[str, ...]]:
    """Each ideograph that others stand for, with these."""
    twins: dict[str, tuple[str, ...]] = {}
    for letter in map(chr, chain(*_COMPATIBLE)):
        other = normalize("NFC", letter)
        if other != letter and len(other) == 1:
            twins[other] = (*twins.get(other, ()), letter)
    return twins


# -- the files ----------------------------------------------------------------------------------------------


def _candidates(reader: Reader, needles: _Needles, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    """Entries that may hold the text, ascending, each with the entries looked at so far; -1 for none in a while."""
    if isinstance(reader, JsonlReader) and needles.any:
        yield from _lines(reader, needles, should_stop)
    elif isinstance(reader, ShardReader):
        which = 0
        while not should_stop():
            if which < len(reader.parts):
                start, part = reader.parts[which]
                for entry, done in _candidates(part, needles, should_stop):
                    yield (entry + start if entry >= 0 else -1), done + start
                part.release()
                which += 1
            elif reader.complete:
                return
            else:
                time.sleep(_WAIT)
                yield -1, reader.count
    else:
        yield from _each(reader, should_stop)


def _each(reader: Reader, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    entry = 0
    while not should_stop():
        if entry < reader.count:
            yield entry, entry
            entry += 1
        elif reader.complete:
            return
        else:
            time.sleep(_WAIT)
            yield -1, entry


def _lines(reader: JsonlReader, needles: _Needles, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    index, at, last = reader.index, reader.index.begin, -1
    while not should_stop():
        if at - index.begin == _WARM * _CHUNK:
            _load_numpy()
        # Only whole lines, so that each find has an entry; pieces overlap, so that none is cut in two.
        end = min(index.whole, at + _CHUNK)
        if end == at:
            if index.complete and end == index.whole:
                return
            time.sleep(_WAIT)
            yield -1, max(0, last)
            continue
        chunk = reader.stream.read(at, min(end + needles.longest, index.whole) - at)
        found = _entries(reader, at, needles.finders(chunk))
        for entry in sorted(found):
            if entry > last:
                last = entry
                yield entry, entry
        at = end
        yield -1, index.entry_at(max(index.begin, at - 1))


def _entries(reader: JsonlReader, at: int, finders: Iterable[_Find]) -> set[int]:
    """The entries of what is found in the piece at `at`; an entry that was found is passed over to its end."""
    found: set[int] = set()
    index = reader.index
    for find in finders:
        place = find(0)
        while place >= 0:
            entry = index.entry_at(at + place)
            found.add(entry)
            place = find(index.span(entry)[1] - at)
    return found
